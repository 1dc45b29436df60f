"""Perspective's clients for JavaScript and PHP, unchanged but for the address, against a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import RunningServer

from crossguard.moderator import Moderator

ROOT = Path(__file__).resolve().parents[3]
NODE_MODULES = Path(os.environ.get("CROSSGUARD_NODE_MODULES", ROOT / "node_modules"))
TEXT = "Hello you. All people are awful!  My friends"
# Each prints the scores that it got, and the message of a request for nothing but SPAM.
PERSPECTIVE_API_CLIENT = """
const axios = require(require.resolve('axios', {paths: [require.resolve('perspective-api-client')]}));
const [origin, text] = process.argv.slice(1);
axios.interceptors.request.use(config => {
  config.url = config.url.replace('https://commentanalyzer.googleapis.com', origin);
  return config;
});
const Perspective = require('perspective-api-client');
const client = new Perspective({apiKey: 'any'});
const scores = ({attributeScores}) =>
  Object.fromEntries(Object.entries(attributeScores).map(([name, entry]) => [name, entry.summaryScore.value]));
(async () => {
  const found = [
    await client.analyze(text),
    await client.analyze(text, {attributes: ['toxicity', 'insult', 'threat']}),
    await client.analyze({comment: {text}, requestedAttributes: {PROFANITY: {scoreThreshold: 0}}}),
  ].map(scores);
  const message = await client.analyze(text, {attributes: ['spam']}).catch(error => error.message);
  console.log(JSON.stringify({found, message}));
})();
"""
# It asks for SPAM and TOXICITY when nothing else is said.
CONVERSATION_AI = """
const {Client} = require('@conversationai/perspectiveapi-js-client');
const [origin, text] = process.argv.slice(1);
const client = new Client('any');
client.perspectiveApiUrl = client.perspectiveApiUrl.replace('https://commentanalyzer.googleapis.com', origin);
(async () => {
  const found = [
    await client.getScores(text),
    await client.getScores(text, {attributes: ['TOXICITY', 'INSULT', 'THREAT'], doNotStore: false}),
    await client.getScores(text, {attributes: ['PROFANITY'], stripHtml: false}),
  ];
  const message = await client.getScores(text, {attributes: ['SPAM']}).catch(error => error.message);
  console.log(JSON.stringify({found, message}));
})();
"""
# What `google.discoverAPI(DISCOVERY_URL)` of googleapis does, as Perspective's own sample for Node calls it.
GOOGLEAPIS = """
const {Discovery} = require('googleapis-common');
const [origin, text] = process.argv.slice(1);
(async () => {
  const make = await new Discovery().discoverAPI(origin + '/$discovery/rest?version=v1alpha1');
  const client = make({});
  client.google = {_options: {}};
  const ask = async names => {
    const requestedAttributes = Object.fromEntries(names.map(name => [name, {}]));
    const {data} = await client.comments.analyze({key: 'any', resource: {comment: {text}, requestedAttributes}});
    return Object.fromEntries(Object.entries(data.attributeScores).map(([name, e]) => [name, e.summaryScore.value]));
  };
  const found = [await ask(['TOXICITY']), await ask(['TOXICITY', 'INSULT', 'THREAT']), await ask(['PROFANITY'])];
  const message = await ask(['SPAM']).catch(error => error.message);
  console.log(JSON.stringify({found, message}));
})();
"""
# The habits of clients in PHP: curl, the key in the address, arrays where objects are meant.
PHP = """
[$program, $origin, $text] = $argv;
function ask($origin, $text, $attributes) {
    $body = ['comment' => ['text' => $text], 'languages' => ['en'], 'requestedAttributes' => $attributes];
    $curl = curl_init($origin . '/v1alpha1/comments:analyze?key=any');
    curl_setopt_array($curl, [
        CURLOPT_POST => true,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_POSTFIELDS => json_encode($body),
        CURLOPT_TIMEOUT => 60,
    ]);
    return json_decode(curl_exec($curl), true);
}
function scores($answer) {
    return array_map(fn($entry) => $entry['summaryScore']['value'], $answer['attributeScores']);
}
$found = [
    scores(ask($origin, $text, ['TOXICITY' => []])),
    scores(ask($origin, $text, ['TOXICITY' => new stdClass(), 'INSULT' => null, 'THREAT' => ['scoreThreshold' => 0]])),
    scores(ask($origin, $text, ['PROFANITY' => ['scoreType' => 'PROBABILITY']])),
];
$message = ask($origin, $text, ['SPAM' => []])['error']['message'];
echo json_encode(['found' => $found, 'message' => $message]);
"""
ASKED = (("TOXICITY",), ("TOXICITY", "INSULT", "THREAT"), ("PROFANITY",))


@pytest.fixture(scope="module")
def served(attributed: Moderator) -> Iterator[RunningServer]:
    with RunningServer(attributed.bundle.folder, drain_s=0) as running:
        yield running


def answer(command: list[str], server: RunningServer, **environment: str) -> dict[str, Any]:
    """What a script prints."""
    ended = subprocess.run(
        [*command, server.url, TEXT],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*", "no_proxy": "*", **environment},
    )
    assert ended.returncode == 0, ended.stderr
    printed: dict[str, Any] = json.loads(ended.stdout)
    return printed


def check(printed: Mapping[str, Any], moderator: Moderator) -> None:
    offline = moderator.score(text=TEXT).scores
    for found, names in zip(printed["found"], ASKED, strict=True):
        assert found == pytest.approx({name: offline[name.lower()] for name in names}, abs=1e-6)


@pytest.mark.parametrize(
    ("package", "script", "says_why"),
    [
        ("perspective-api-client", PERSPECTIVE_API_CLIENT, True),
        # It keeps nothing of an answer but its status.
        ("@conversationai/perspectiveapi-js-client", CONVERSATION_AI, False),
        ("googleapis-common", GOOGLEAPIS, True),
    ],
)
def test_javascript(package: str, script: str, says_why: bool, served: RunningServer, attributed: Moderator) -> None:
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / package).is_dir():
        pytest.skip(f"needs node, and `npm install {package}`")
    printed = answer([node, "-e", script], served, NODE_PATH=str(NODE_MODULES))
    check(printed, attributed)
    assert ("SPAM is not supported" if says_why else "400") in printed["message"]


def test_php(served: RunningServer, attributed: Moderator) -> None:
    php = shutil.which("php")
    modules = subprocess.run([php, "-m"], capture_output=True, text=True, check=False).stdout if php else ""
    if php is None or "curl" not in modules.split():
        pytest.skip("needs php with its curl module")
    printed = answer([php, "-r", PHP, "--"], served)
    check(printed, attributed)
    assert "SPAM is not supported" in printed["message"]
