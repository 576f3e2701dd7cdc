"""`python -m tests.support.s3_process`: an S3 server (moto) on a free port of loopback, which it prints; ends with its
stdin. With `--strict KEY SECRET` it knows that key alone, and checks signatures as S3 does."""

import json
import os
import sys


def main() -> None:
    strict = sys.argv[1:2] == ["--strict"]
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = _one_user(f"http://{host}:{port}") if strict else ["key", "secret"]
    sys.stdout.write(json.dumps([port, *keys]) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


def _one_user(url: str) -> list[str]:
    """Make one user who may do everything in S3, and from then on let in nobody else."""
    import boto3
    from moto import settings

    given = {"endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    iam = boto3.client("iam", **given)
    iam.create_user(UserName="recorder")
    rule = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="recorder", PolicyName="all", PolicyDocument=json.dumps(rule))
    made = iam.create_access_key(UserName="recorder")["AccessKey"]
    boto3.client("s3", **given).create_bucket(Bucket="evidence")
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    return [made["AccessKeyId"], made["SecretAccessKey"]]


if __name__ == "__main__":
    main()
