"""`explore`: the run in a browser, on loopback."""

import argparse

from pipeline.errors import InfrastructureError


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted. Raises InfrastructureError without the extra `explore`."""
    try:
        from pipeline.explore.page import Explorer
        from pipeline.explore.server import serve
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise InfrastructureError(f"explore needs {error.name}: pip install 'domain-corpus[explore]'") from error
    serve(Explorer(arguments.run, arguments.other), arguments.port, lambda line: print(line, flush=True))
    return 0
