from typing import Any
def quantize(job: Any, place: Any) -> dict[str, Any]:
    return {"accuracy": 0, "dense": 0}
