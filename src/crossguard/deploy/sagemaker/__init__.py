"""AWS SageMaker: packages, endpoints, batch transforms and training jobs.

from crossguard.deploy.sagemaker import Container, Endpoint, Serverless

container = Container(image=..., model_data="s3://bucket/model.tar.gz", role=...)
Endpoint(name="hate", container=container, capacity=Serverless()).deploy()
"""

from __future__ import annotations

from crossguard.deploy.sagemaker.capacity import Asynchronous, Realtime, Serverless
from crossguard.deploy.sagemaker.container import Container
from crossguard.deploy.sagemaker.endpoint import Endpoint, delete, invoke
from crossguard.deploy.sagemaker.jobs import BatchTransform, TrainingJob

__all__ = [
    "Asynchronous",
    "BatchTransform",
    "Container",
    "Endpoint",
    "Realtime",
    "Serverless",
    "TrainingJob",
    "delete",
    "invoke",
]
