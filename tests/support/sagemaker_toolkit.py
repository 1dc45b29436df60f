"""Runs the handler service of AWS's PyTorch container over an unpacked archive, as its model server does.

Reads requests as JSON lines from stdin, writes replies as JSON lines to stdout. Only the model server around the
toolkit is left out; its part of the bargain is the class `Context`.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any


class Context:
    """What a model server tells the toolkit about a request, and is told about its reply."""

    def __init__(self, model_dir: str) -> None:
        self.system_properties = {"model_dir": model_dir}
        self.model_name = "model"
        self.request_processor = [self]
        self.headers: dict[str, str] = {}
        self.status, self.phrase, self.content_type = 200, "", ""

    def get_request_properties(self) -> dict[str, str]:
        return self.headers

    def set_response_status(self, code: int, phrase: str) -> None:
        self.status, self.phrase = code, phrase

    def set_response_content_type(self, _index: int, content_type: str) -> None:
        self.content_type = content_type


def main(model_dir: str) -> None:
    from sagemaker_pytorch_serving_container.handler_service import HandlerService

    context = Context(model_dir)
    service = HandlerService()
    service.initialize(context)
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        context.headers = request["headers"]
        context.status = 200
        # TorchServe hands bodies over in this type.
        (body,) = service.handle([{"body": bytearray(base64.b64decode(request["body"]))}], context)
        reply = {"status": context.status, "content_type": context.content_type, "body": body}
        sys.__stdout__.write(json.dumps(reply) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main(sys.argv[1])
