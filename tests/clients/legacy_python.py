"""Python's `mcp` 1.26, of the era of handshakes and sessions, over standard input and output and over HTTP."""

import asyncio
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version

import httpx
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from story import Office, Teller, check_tools, say


@asynccontextmanager
async def over_stdio(office):
    async with stdio_client(StdioServerParameters(command=office.command, args=office.arguments)) as streams:
        yield streams


@asynccontextmanager
async def over_http(office):
    headers = {"Authorization": f"Bearer {office.token}"}
    async with httpx.AsyncClient(headers=headers) as http:
        async with streamable_http_client(office.url, http_client=http) as (reading, writing, _):
            yield reading, writing


async def goes_through(office, transport, connect, number, who):
    async with connect(office) as (reading, writing), ClientSession(reading, writing) as session:
        server = await session.initialize()
        assert server.serverInfo.name == "frontdesk", server
        assert server.protocolVersion == "2025-11-25", server
        listed = await session.list_tools()
        assert listed.nextCursor is None, listed
        size = check_tools([tool.model_dump(exclude_none=True) for tool in listed.tools])

        async def call(tool, arguments):
            result = await session.call_tool(tool, arguments)
            return result.isError, result.structuredContent

        told = await Teller(call, number, office.owner).tell(f"mcp_{transport}", who)
    say(f"mcp {version('mcp')}", transport, server.protocolVersion, size, told)


async def main():
    office = Office(sys.argv[1])
    await goes_through(office, "stdio", over_stdio, 1, "local")
    await goes_through(office, "http", over_http, 2, "Front Office")


asyncio.run(main())
