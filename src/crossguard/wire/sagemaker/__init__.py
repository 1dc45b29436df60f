"""SageMaker's wire format: the service and the handler for AWS's own containers read and write it here.

A request is one post, many under `instances`, one per line, or a bare image. The reply has the form of the request.
The keys of a reply (`class_predictions`, `probabilities`, `any_harmful`) are those of the reference's handler.
"""
