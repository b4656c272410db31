"""Python's `fastmcp` 4, of the era without sessions, over standard input and output and over HTTP."""

import asyncio
import sys
from importlib.metadata import version

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

from story import Office, Teller, check_tools, say


def over_stdio(office):
    """With the token of the demo's agent: the other way to be somebody over standard input and output."""
    return StdioTransport(office.command, office.arguments, env={"FRONTDESK_AGENT_TOKEN": office.token}, keep_alive=False)


def over_http(office):
    return StreamableHttpTransport(office.url, headers={"Authorization": f"Bearer {office.token}"})


async def goes_through(office, transport, connect, number, who):
    async with Client(connect(office)) as client:
        assert client.protocol_version == "2026-07-28", client.protocol_version
        assert client.server_info.name == "frontdesk", client.server_info
        listed = await client.list_tools_mcp()
        size = check_tools([tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in listed.tools])

        async def call(tool, arguments):
            result = await client.call_tool_mcp(tool, arguments)
            return result.is_error, result.structured_content

        told = await Teller(call, number, office.owner).tell(f"mcp_{transport}", who)
        say(f"fastmcp {version('fastmcp')}", transport, client.protocol_version, size, told)


async def main():
    office = Office(sys.argv[1])
    await goes_through(office, "stdio", over_stdio, 3, "Front Office")
    await goes_through(office, "http", over_http, 4, "Front Office")


asyncio.run(main())
