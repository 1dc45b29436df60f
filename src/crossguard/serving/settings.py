"""Every setting of the service in one table: flags, environment, file, checks and documentation come from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator, model_validator

from crossguard import checked_settings
from crossguard.checked_settings import (
    BaseAddress,
    FilePath,
    Host,
    PublicAddress,
    StrictModel,
    Words,
    gather_settings,
    setting,
)
from crossguard.wire import SOURCE

PREFIX = "CROSSGUARD_"
MEBI = 1024 * 1024
# As browsers write an origin: in small letters, without a path or the usual port.
ORIGIN = re.compile(r"(?!http:.*:80$|https:.*:443$)https?://(\[[0-9a-f:.]+\]|[^\s/?#@A-Z*:\[\]]+)(:\d+)?")
# Where SageMaker unpacks the model of an endpoint.
SAGEMAKER_MODEL = Path("/opt/ml/model")


class ServeSettings(StrictModel):
    """How a service runs. The descriptions are its manual: `crossguard serve --help` and the docs print them."""

    host: Host = setting("Address to listen on; 0.0.0.0 for every interface, :: also for those of IPv6.", "127.0.0.1")
    port: int = setting("Port to listen on; 0 takes a free one.", 8080, ge=0, le=65535)
    public_url: PublicAddress = setting(
        "Address that clients call where a proxy is in front, such as https://crossguard.example.com; Google's client "
        "libraries are told to use it.",
        "",
    )
    model: str | None = setting(
        "Shipped name, folder or Hub id; /opt/ml/model where it holds a bundle, else compact.", None
    )
    revision: str | None = setting("Branch, tag or commit of a Hub model.", None)
    policy: str = setting("Policy of the bundle, or a YAML file, for callers without their own.", "default")
    runtime: Literal["auto", "openvino", "onnx"] = setting("Inference runtime.", "auto")
    precision: Literal["auto", "fp32", "bf16"] = setting("Numeric precision of the runtime.", "auto")
    threads: int | None = setting("Cores for the model and for decoding; all when not given.", None, ge=1)
    keys_file: Path | None = setting("YAML file of API keys; without one, everybody may call.", None)
    insecure: bool = setting("Whether to listen beyond this machine without keys, so that everybody may call.", False)
    posts_per_minute: int = setting(
        "Most posts per minute for a key without a rate of its own; without keys, per client address. 0 is "
        "unlimited. Every further 512 bytes of a text, up to the windows that are read of it, and every further image "
        "count as another post.",
        0,
        ge=0,
    )
    max_body_bytes: int = setting("Largest request body.", 32 * MEBI, ge=1024)
    max_buffered_bytes: int = setting(
        "Bytes of all bodies being read or scored at once; more get 429.", 256 * MEBI, ge=1024
    )
    max_posts: int = setting("Most posts in one request.", 1024, ge=1)
    max_images: int = setting("Most images of one post.", 8, ge=1)
    max_image_bytes: int = setting("Largest encoded image.", 16 * MEBI, ge=1024)
    max_pixels: int = setting("Most pixels of an image, checked before decoding.", 64_000_000, ge=1)
    max_queue: int = setting(
        "Most posts that wait or are being scored, counted as for the rate; more get 429.", 2048, ge=1
    )
    batch_posts: int = setting("Most posts in one batch, counted as for the rate.", 32, ge=1)
    max_batch_delay_ms: float = setting(
        "Longest time that a post waits for others to fill its batch, while other batches are inferred.",
        4.0,
        ge=0,
        le=1000,
    )
    request_timeout_s: float = setting("Deadline of a request, from the end of its headers to its answer.", 30.0, gt=0)
    body_timeout_s: float = setting("Longest time for a body to arrive.", 20.0, gt=0)
    header_timeout_s: float = setting("Longest time for a request's headers to arrive.", 10.0, gt=0)
    keep_alive_s: int = setting("How long an idle connection is kept.", 15, ge=1)
    send_timeout_s: float = setting("Longest time for a client to take an answer that has been written.", 20.0, gt=0)
    max_connections: int = setting(
        "Connections with a request stay below this number: the one that has been idle longest is closed for another, "
        "and if none is idle, a request gets 503.",
        1024,
        ge=2,
    )
    drain_s: float = setting("After SIGTERM: how long to report unready and keep serving.", 1.0, ge=0)
    stop_s: int = setting("After draining: longest time for requests in flight to finish.", 30, ge=1)
    fetch_origins: Words = setting(
        "Origins that images may be fetched from, such as https://media.example.com; none by default.", ()
    )
    fetch_private: bool = setting("Whether an allowed origin may lie at a private or loopback address.", False)
    fetch_timeout_s: float = setting("Longest time to fetch an image.", 5.0, gt=0)
    fetch_max: int = setting("Most images fetched for one request.", 64, ge=1)
    fetch_per_minute: int = setting(
        "Most images fetched from one origin in a minute, for all callers together.", 600, ge=1
    )
    cors_origins: Words = setting(
        "Origins whose pages may call the service from a browser, such as https://forum.example.com; * for "
        "every page; none by default.",
        (),
    )
    languages: Words = setting(
        "Languages of comments that Perspective callers get scores for; those of the model when not given.", ()
    )
    other_languages: Literal["score", "note", "skip"] = setting(
        "What to do with a text in a language that the model does not know: score it like any other, note "
        "that in its decision, or skip it, which answers with an error. For Perspective callers perspective_languages "
        "says it.",
        "note",
    )
    perspective_missing: Literal["error", "omit", "estimate"] = setting(
        "What Perspective callers get for an attribute that the model lacks: an error, no score, or the "
        "score of a named neighbour (marked as such).",
        "estimate",
    )
    perspective_languages: Literal["error", "mark"] = setting(
        "What Perspective callers get for a comment in a language that the model was not made for: "
        "Google's error, or scores with a mark that says so.",
        "error",
    )
    review_queue: BaseAddress = setting(
        "Address of a review console (crossguard review) that posts of /v1/score and suggestions of "
        "comments:suggestscore are sent to.",
        "",
    )
    review_key: str = setting("Key that the review console made for this service.", "", repr=False)
    review_source: str = setting(
        "What the review console calls this service: 1 to 64 letters, digits, dots, colons, dashes and underscores.",
        "serve",
        pattern=SOURCE,
    )
    suggestions: FilePath | None = setting(
        "File to which comments:suggestscore adds a line each; without one, and without a review queue, "
        "nothing of them is kept.",
        None,
    )
    metrics_port: int = setting(
        "Port on which /metrics asks for no key, for a scraper inside the network; 0 opens none.", 0, ge=0, le=65535
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting("Least serious event to log.", "info")
    log_format: Literal["auto", "json", "text"] = setting("auto: text on a terminal, else JSON lines.", "auto")

    @field_validator("cors_origins")
    @classmethod
    def _as_browsers_write(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(origin.rstrip("/") for origin in value)
        wrong = [origin for origin in origins if origin != "*" and not ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} is not an origin such as https://forum.example.com, in small letters, without a "
                "path, a * in it or the port that is usual"
            )
        return origins

    @field_validator("languages")
    @classmethod
    def _without_regions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(primary, value)))

    @field_validator("review_key")
    @classmethod
    def _without_line_end(cls, value: str) -> str:
        return value.strip()

    @model_validator(mode="after")
    def _consistent(self) -> ServeSettings:
        problems = []
        if self.max_posts > self.max_queue:
            problems.append(f"max_posts ({self.max_posts}) must not exceed max_queue ({self.max_queue})")
        if self.max_body_bytes > self.max_buffered_bytes:
            problems.append(
                f"max_body_bytes ({self.max_body_bytes}) must not exceed max_buffered_bytes ({self.max_buffered_bytes})"
            )
        if self.fetch_private and not self.fetch_origins:
            problems.append("fetch_private does nothing without fetch_origins; name the origins, or leave it out")
        if self.review_queue and not self.review_key:
            problems.append("review_queue needs review_key, the key that the review console made for this service")
        if self.review_key and not self.review_queue:  # which may have been misspelt
            problems.append("review_key does nothing without review_queue, the address of the review console")
        if not (self.review_key.isascii() and self.review_key.isprintable()):  # said here, where no value is shown
            problems.append("review_key must be the key that the review console made for this service")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def model_name(self) -> str:
        """The model to load, with the default resolved."""
        if self.model is not None:
            return self.model
        return str(SAGEMAKER_MODEL) if (SAGEMAKER_MODEL / "bundle.json").is_file() else "compact"


def primary(language: str) -> str:
    """Returns the language of a tag without its region: `en` of `en-US`, and of `en_US` as Android and PHP write it."""
    return language.replace("_", "-").partition("-")[0].lower()


def gather(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> ServeSettings:
    """Returns the settings of a process; see `checked_settings.gather_settings`."""
    return gather_settings(ServeSettings, PREFIX, flags, environment, file, "Settings of crossguard serve")


def unread_variables(environment: Mapping[str, str], others: Collection[str]) -> list[str]:
    """Returns a sentence for each variable that looks like a setting and is none; `others` are read elsewhere."""
    names = ("cache", *ServeSettings.model_fields)
    return checked_settings.unread_variables(environment, PREFIX, names, others, "crossguard serve")
