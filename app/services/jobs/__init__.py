"""Jobs that run apart from requests, the workers that do them, and plans watched for a change."""
