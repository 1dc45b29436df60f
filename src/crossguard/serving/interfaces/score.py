"""Crossguard's own interface: a post in, a `Decision` out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from crossguard.records import Post
from crossguard.schema import DecisionRecord
from crossguard.serving.call import Call, scored
from crossguard.serving.endpoints import Family, HttpEndpoint
from crossguard.serving.errors import ApiError, BadRequest
from crossguard.serving.forms import MULTIPART, read_form
from crossguard.serving.json_bodies import JSON, NullIsAbsent, as_json
from crossguard.serving.submitted_post import check_images, check_posts, counted, image_of

FIELDS = frozenset({"id", "text", "image_text"})


def _or_null(schema: dict[str, Any]) -> None:
    """Says in a schema that each of its fields may be null."""
    for field in schema["properties"].values():
        if "type" in field:
            field["type"] = [field["type"], "null"]


class PostBody(NullIsAbsent):
    """A post: text, images, or both. Null is absent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_or_null)

    id: str = Field(
        default="post",
        description="The caller's own name for the post; it comes back. Of many, one without has its position.",
    )
    text: str = Field(default="", description="What the author wrote.")
    image: str | None = Field(
        default=None, description="A data: URL, base64, or an http(s) URL where the service fetches."
    )
    images: Annotated[list[str], counted(check_images)] = Field(
        default_factory=list, description="More images of the same post."
    )
    image_text: str = Field(default="", description="Words read from the images.")

    def post(self) -> Post:
        """Returns what the service scores."""
        image = image_of(self.image) if self.image else None
        return Post(self.id, self.text, image, self.image_text, more_images=tuple(map(image_of, self.images)))


class OnlyPostBody(PostBody):
    """A post that is the whole body."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_many(cls, body: Any) -> Any:
        if isinstance(body, list) or (isinstance(body, dict) and "posts" in body):
            raise PydanticCustomError("many_posts", "Many posts go to POST /v1/score/batch, as {'posts': [...]}")
        return body


class PostsBody(BaseModel):
    """Many posts."""

    model_config = ConfigDict(extra="forbid")

    posts: Annotated[list[PostBody], counted(check_posts)] = Field(min_length=1)


class UploadBody(BaseModel):
    """A post as a form."""

    id: str = "post"
    text: str = ""
    image_text: str = ""
    image: list[bytes] = Field(default_factory=list, description="Image files.")


class UploadsBody(BaseModel):
    """Images as a form; each is a post of its own, named after its file."""

    image: list[bytes] = Field(min_length=1)


class ResultsBody(BaseModel):
    """Answers in the order of the posts."""

    model_config = ConfigDict(extra="forbid")

    results: list[DecisionRecord]


class ErrorDetail(BaseModel):
    """What was wrong."""

    code: str = Field(description="A stable word for programs.")
    message: str
    request_id: str


class ErrorBody(BaseModel):
    """An error."""

    error: ErrorDetail


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Renders an error."""
    return {"error": {"code": error.code, "message": error.message, "request_id": request_id}}


FAMILY = Family("crossguard", error_body, ErrorBody)


async def score(call: Call) -> Response:
    """Scores one post."""
    if call.content_type == MULTIPART:
        texts, files = await read_form(
            call, fields=FIELDS, check_files=partial(check_images, settings=call.settings, so_far=True)
        )
        fields: dict[str, Any] = {"id": "post", **texts}
        post = Post(**fields, more_images=tuple(data for _, data in files))
    else:
        post = (await call.parse(OnlyPostBody)).post()
    (decision,) = await call.score([post], review=True)
    return as_json(scored(decision).to_dict())


async def score_batch(call: Call) -> Response:
    """Scores many posts."""
    posts, unnamed = await _posts(call)
    outcomes = await call.score(posts, review=True, named=call.content_type != MULTIPART)
    places = ({"id": str(place)} if place in unnamed else {} for place in range(len(posts)))
    return as_json({"results": [outcome.to_dict() | place for outcome, place in zip(outcomes, places, strict=True)]})


async def _posts(call: Call) -> tuple[Sequence[Post], frozenset[int]]:
    """Returns the posts, and which of them have no id: these come back under their position."""
    if call.content_type != MULTIPART:
        bodies = (await call.parse(PostsBody)).posts
        unnamed = frozenset(place for place, body in enumerate(bodies) if "id" not in body.model_fields_set)
        return [body.post() for body in bodies], unnamed
    _, files = await read_form(
        call, fields=frozenset(), check_files=partial(check_posts, settings=call.settings, so_far=True)
    )
    if not files:
        raise BadRequest("The form has no file called 'image'.")
    return [Post(name, image=data) for name, data in files], frozenset()


ENDPOINTS = (
    HttpEndpoint(
        "POST",
        "/v1/score",
        FAMILY,
        "Score one post",
        score,
        requests={JSON: PostBody, MULTIPART: UploadBody},
        responses={JSON: DecisionRecord},
        example={"text": "good morning friends"},
    ),
    HttpEndpoint(
        "POST",
        "/v1/score/batch",
        FAMILY,
        "Score many posts; a bad one fails in its place",
        score_batch,
        requests={JSON: PostsBody, MULTIPART: UploadsBody},
        responses={JSON: ResultsBody},
        example={"posts": [{"id": "1", "text": "good morning"}, {"id": "2", "text": "hello friends"}]},
    ),
)
