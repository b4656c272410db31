"""The Inspector's command line in both eras, with its check of schemas; `mcp-inspector` must be on PATH."""

import asyncio
import json
import subprocess
import sys

from story import Office, Teller, check_tools, say

TOOL_FAILED = 5


def inspect(target, era, *words):
    command = ["mcp-inspector", "--cli", *target, "--protocol-era", era, "--format", "json", *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode in (0, TOOL_FAILED), f"{ran.args} ended with {ran.returncode}: {ran.stderr}"
    return ran, json.loads(ran.stdout)["result"]


def list_tools(target, era):
    ran, result = inspect(target, era, "--method", "tools/list", "--strict")
    assert "nextCursor" not in result, result
    lines = [line for line in ran.stderr.splitlines() if " warnings across " in line]
    assert lines, f"the schemas were not counted: {ran.stderr}"
    counted = lines[0]
    return check_tools(result["tools"]), counted.rstrip(".")


async def goes_through(office, era, number):
    target = [office.url, "--transport", "http", "--header", f"Authorization: Bearer {office.token}"]
    size, counted = list_tools(target, era)

    async def call(tool, arguments):
        words = ["--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments)]
        ran, result = await asyncio.to_thread(inspect, target, era, *words)
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"], result
        assert (ran.returncode == TOOL_FAILED) == result["isError"], result
        return result["isError"], result["structuredContent"]

    told = await Teller(call, number, office.owner).tell("mcp_http", "Front Office")
    say("Inspector", "http", f"{era} era", size, f"{counted}; {told}")


async def main():
    office = Office(sys.argv[1])
    await goes_through(office, "legacy", 5)
    await goes_through(office, "modern", 6)
    for era in ["legacy", "modern"]:
        size, counted = list_tools(["--transport", "stdio", office.command, *office.arguments], era)
        say("Inspector", "stdio", f"{era} era", size, counted)


asyncio.run(main())
