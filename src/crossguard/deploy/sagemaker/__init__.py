"""AWS SageMaker: packages, endpoints, batch transforms and training jobs.

from crossguard.deploy.sagemaker import Container, Endpoint, Serverless

container = Container(image=..., model_data="s3://bucket/model.tar.gz", role=...)
Endpoint(name="hate", container=container, capacity=Serverless()).deploy()
"""

from __future__ import annotations

from crossguard.deploy.sagemaker.calls import Aws, Call, Step, Wait, check, to_json
from crossguard.deploy.sagemaker.capacity import Asynchronous, Realtime, Serverless
from crossguard.deploy.sagemaker.endpoint import Endpoint, delete, invoke
from crossguard.deploy.sagemaker.job import TrainingJob
from crossguard.deploy.sagemaker.model import Container
from crossguard.deploy.sagemaker.transform import BatchTransform

__all__ = [
    "Asynchronous",
    "Aws",
    "BatchTransform",
    "Call",
    "Container",
    "Endpoint",
    "Realtime",
    "Serverless",
    "Step",
    "TrainingJob",
    "Wait",
    "check",
    "delete",
    "invoke",
    "to_json",
]
