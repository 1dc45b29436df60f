"""Every setting of the service in one table: flags, environment, file, checks and documentation come from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from crossguard.checked_settings import StrictModel, Words, gather_settings
from crossguard.errors import suggest

PREFIX = "CROSSGUARD_"
MEBI = 1024 * 1024
# Where SageMaker unpacks the model of an endpoint.
SAGEMAKER_MODEL = Path("/opt/ml/model")


class ServeSettings(StrictModel):
    """How a service runs. The descriptions are its manual: `crossguard serve --help` and the docs print them."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    model: str | None = Field(
        default=None, description="Shipped name, folder or Hub id; /opt/ml/model where it holds a bundle, else compact."
    )
    revision: str | None = Field(default=None, description="Branch, tag or commit of a Hub model.")
    policy: str = Field(
        default="default", description="Policy of the bundle, or a YAML file, for callers without their own."
    )
    runtime: Literal["auto", "openvino", "onnx"] = Field(default="auto", description="Engine that runs the model.")
    precision: Literal["auto", "fp32", "bf16"] = Field(default="auto", description="Arithmetic of the engine.")
    threads: int | None = Field(
        default=None, ge=1, description="Cores for the model and for decoding; all when not given."
    )
    keys_file: Path | None = Field(default=None, description="YAML file of API keys; without one, everybody may call.")
    insecure: bool = Field(
        default=False, description="Whether to listen beyond this machine without keys, so that everybody may call."
    )
    posts_per_minute: int = Field(
        default=0,
        ge=0,
        description="Most posts per minute for a key without a rate of its own; without keys, per client address. 0 is "
        "unlimited. Every further 512 bytes of a text, up to the windows that are read of it, and every further image "
        "count as another post.",
    )
    max_body_bytes: int = Field(default=32 * MEBI, ge=1024, description="Largest request body.")
    max_buffered_bytes: int = Field(
        default=256 * MEBI, ge=1024, description="Bytes of all bodies being read or scored at once; more get 429."
    )
    max_posts: int = Field(default=1024, ge=1, description="Most posts in one request.")
    max_images: int = Field(default=8, ge=1, description="Most images of one post.")
    max_image_bytes: int = Field(default=16 * MEBI, ge=1024, description="Largest encoded image.")
    max_pixels: int = Field(default=64_000_000, ge=1, description="Most pixels of an image, checked before decoding.")
    max_queue: int = Field(
        default=2048,
        ge=1,
        description="Most posts that wait or are being scored, counted as for the rate; more get 429.",
    )
    batch_posts: int = Field(default=32, ge=1, description="Most posts in one batch, counted as for the rate.")
    max_batch_delay_ms: float = Field(
        default=4.0,
        ge=0,
        le=1000,
        description="Longest time that a post waits for others to fill its batch, while other batches are inferred.",
    )
    request_timeout_s: float = Field(
        default=30.0, gt=0, description="Deadline of a request, from its first byte to its answer."
    )
    body_timeout_s: float = Field(default=20.0, gt=0, description="Longest time for a body to arrive.")
    header_timeout_s: float = Field(default=10.0, gt=0, description="Longest time for a request's headers to arrive.")
    keep_alive_s: int = Field(default=15, ge=1, description="How long an idle connection is kept.")
    send_timeout_s: float = Field(
        default=20.0, gt=0, description="Longest time for a client to take an answer that has been written."
    )
    max_connections: int = Field(
        default=1024,
        ge=2,
        description="Open connections stay below this number: the one that has been idle longest is closed for a new "
        "one, and if none is idle, the new one gets 503.",
    )
    drain_s: float = Field(default=1.0, ge=0, description="After SIGTERM: how long to report unready and keep serving.")
    stop_s: int = Field(default=30, ge=1, description="After draining: longest time for requests in flight to finish.")
    fetch_origins: Words = Field(
        default=(),
        description="Origins that images may be fetched from, such as https://media.example.com; none by default.",
    )
    fetch_private: bool = Field(
        default=False, description="Whether an allowed origin may lie at a private or loopback address."
    )
    fetch_timeout_s: float = Field(default=5.0, gt=0, description="Longest time to fetch an image.")
    fetch_max: int = Field(default=64, ge=1, description="Most images fetched for one request.")
    fetch_per_minute: int = Field(
        default=600, ge=1, description="Most images fetched from one origin in a minute, for all callers together."
    )
    cors_origins: Words = Field(
        default=(),
        description="Origins whose pages may call the service from a browser, such as https://forum.example.com; * for "
        "every page; none by default.",
    )
    languages: Words = Field(
        default=("en",),
        min_length=1,
        description="Languages that the model was made for; Perspective callers are told.",
    )
    other_languages: Literal["score", "note", "skip"] = Field(
        default="note",
        description="What to do with a text in a language that the model does not know: score it like any other, note "
        "that in its decision, or skip it, which answers with an error.",
    )
    perspective_missing: Literal["error", "omit", "estimate"] = Field(
        default="estimate",
        description="What Perspective callers get for an attribute that the model lacks: an error, no score, or the "
        "score of a named neighbour (marked as such).",
    )
    perspective_languages: Literal["error", "mark"] = Field(
        default="error",
        description="What Perspective callers get for a comment in a language that the model was not made for: "
        "Google's error, or scores with a mark that says so.",
    )
    review_queue: str = Field(
        default="",
        description="Address of a review console (crossguard review) that posts of /v1/score and suggestions of "
        "comments:suggestscore are sent to.",
    )
    review_key: str = Field(default="", description="Key that the review console made for this service.")
    review_source: str = Field(default="serve", description="What the review console calls this service.")
    suggestions: Path | None = Field(
        default=None,
        description="File to which comments:suggestscore adds a line each; without one, and without a review queue, "
        "nothing of them is kept.",
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port on which /metrics asks for no key, for a scraper inside the network; 0 opens none.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least serious event to log."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, else JSON lines."
    )

    @model_validator(mode="after")
    def _consistent(self) -> ServeSettings:
        problems = []
        if self.max_posts > self.max_queue:
            problems.append(f"max_posts ({self.max_posts}) must not exceed max_queue ({self.max_queue})")
        if self.max_body_bytes > self.max_buffered_bytes:
            problems.append(
                f"max_body_bytes ({self.max_body_bytes}) must not exceed max_buffered_bytes ({self.max_buffered_bytes})"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def model_name(self) -> str:
        """The model to load, with the default resolved."""
        if self.model is not None:
            return self.model
        return str(SAGEMAKER_MODEL) if (SAGEMAKER_MODEL / "bundle.json").is_file() else "compact"


def gather(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> ServeSettings:
    """Returns the settings of a process; see `checked_settings.gather_settings`."""
    return gather_settings(ServeSettings, PREFIX, flags, environment, file, "Settings of crossguard serve")


def unread_variables(environment: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each variable that looks like a setting and is none."""
    known = {PREFIX + name.upper() for name in ("cache", *ServeSettings.model_fields)}
    return [
        f"The variable {name} is not a setting of crossguard serve.{suggest(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    ]


def markdown_table() -> str:
    """Returns the table of docs/reference/serve-settings.md."""
    lines = ["| flag | variable and key | default | meaning |", "|---|---|---|---|"]
    for name, field in ServeSettings.model_fields.items():
        meaning = f"{field.description}{_choices(field)}"
        lines.append(
            f"| `--{name.replace('_', '-')}` | `{PREFIX}{name.upper()}`, `{name}` | {_default(field)} | {meaning} |"
        )
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == ():
        return ""
    return f"`{','.join(value) if isinstance(value, tuple) else str(value).lower() if value is False else value}`"


def _choices(field: FieldInfo) -> str:
    values = [value for value in get_args(field.annotation) if isinstance(value, str)]
    return f" One of {', '.join(f'`{value}`' for value in values)}." if values else ""
