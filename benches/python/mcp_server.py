"""The same for a model, on the official SDK: no sessions, answers in JSON."""

from uuid import UUID

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.applications import Starlette

from contacts import Contact, Contacts, Hit, NewContact, Text, serve


def app(contacts: Contacts) -> Starlette:
    server = MCPServer("contacts", log_level="WARNING")

    @server.tool()
    async def read_contact(contact_id: UUID) -> Contact:
        """Read a contact with its e-mails, phones and addresses."""
        contact = await contacts.read(contact_id)
        if contact is None:
            raise ToolError("There is no such contact.")
        return contact

    @server.tool()
    async def search_contacts(search: Text) -> list[Hit]:
        """Search contacts by the words of their names, e-mails, phones and addresses."""
        return await contacts.search(search)

    @server.tool()
    async def create_contact(contact: NewContact) -> Contact:
        """Create a contact with an e-mail, a phone and an address."""
        return await contacts.create(contact)

    return server.streamable_http_app(json_response=True, stateless_http=True)


serve(app)
