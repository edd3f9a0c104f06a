"""Server 3: what the company's ERP gets to ask for labels."""
