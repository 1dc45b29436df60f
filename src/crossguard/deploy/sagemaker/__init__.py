"""AWS SageMaker: packages, endpoints, batch transforms and training jobs."""
