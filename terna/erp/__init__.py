"""Server 3: the client with which the company's ERP asks for labels."""
