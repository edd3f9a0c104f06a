"""Server 3: the client with which an ERP asks for labels."""
