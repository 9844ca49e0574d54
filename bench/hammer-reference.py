"""The prompt of Hammer 2.1 as a few lines of Python make it: what bench/hammer.ts is compared with.

Reads {"tools", "query", "frame": [before, between, after], "times"} from stdin and writes
{"microseconds": of one prompt, "prompt"} to stdout.
"""

import json
import sys
import time


def convert(tools):
    converted = []
    for tool in tools:
        schema = tool["parameters"]
        parameters = {name: dict(given) for name, given in schema.get("properties", {}).items()}
        for name, parameter in parameters.items():
            inner = parameter.get("properties")
            if isinstance(inner, dict):
                parameters[name] = {key: dict(given) for key, given in inner.items()}
                for key in parameter.get("required", []):
                    parameters[name][key]["required"] = True
        for name in schema.get("required", []):
            parameters[name]["required"] = True
        for parameter in parameters.values():
            if "default" in parameter:
                parameter["description"] += f"default is '{parameter['default']}'"
        converted.append(
            {"name": tool["name"], "description": tool["description"], "parameters": parameters}
        )
    return converted


def main():
    task = json.load(sys.stdin)
    tools, query, times = task["tools"], task["query"], task["times"]
    before, between, after = task["frame"]
    start = time.perf_counter()
    for _ in range(times):
        prompt = f"{before}{json.dumps(convert(tools))}{between}{query}{after}"
    took = time.perf_counter() - start
    json.dump({"microseconds": took / times * 1e6, "prompt": prompt}, sys.stdout)


main()
