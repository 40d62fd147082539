"""Which of a store's failures pass by themselves, and are waited for."""

import pytest

from apps.base.tracking.store import AwayError, RefusedError, _answers


def http(status):
    import requests

    answer = requests.Response()
    answer.status_code = status
    return requests.HTTPError(f"{status} Error", response=answer)


def mlflow_error(text, code):
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    return MlflowException(text, error_code=getattr(databricks_pb2, code))


@pytest.mark.parametrize(
    ("make", "passes"),
    [
        (lambda: ConnectionRefusedError("refused"), True),
        (lambda: ConnectionResetError("reset"), True),
        (lambda: TimeoutError("timed out"), True),
        (lambda: __import__("requests").ConnectionError("no route"), True),
        (lambda: __import__("requests").ReadTimeout("read timed out"), True),
        (lambda: __import__("sqlite3").OperationalError("database is locked"), True),
        (lambda: OSError(28, "No space left on device"), True),
        (lambda: http(429), True),
        (lambda: http(503), True),
        (lambda: mlflow_error("API request to http://x failed with exception refused", "INTERNAL_ERROR"), True),
        (lambda: mlflow_error("API request to endpoint /x failed with error code 502 != 200. Response body: ''", "INTERNAL_ERROR"), True),
        (lambda: mlflow_error("database is locked", "TEMPORARILY_UNAVAILABLE"), True),
        (lambda: http(401), False),
        (lambda: http(403), False),
        (lambda: mlflow_error("You are not authenticated", "UNAUTHENTICATED"), False),
        (lambda: mlflow_error("API request to endpoint /x failed with error code 413 != 200. Response body: ''", "INTERNAL_ERROR"), False),
        (lambda: mlflow_error("the model cannot be saved", "INTERNAL_ERROR"), False),
        (lambda: PermissionError(13, "Permission denied"), False),
        (lambda: TypeError("a bug"), False),
        (lambda: __import__("importlib.metadata").metadata.PackageNotFoundError("opencv-python-headless"), False),
    ],
)
def test_only_what_is_known_to_pass_is_tried_again(make, passes):
    with pytest.raises(AwayError if passes else RefusedError), _answers():
        raise make()
