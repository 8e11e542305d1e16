"""Reading a Firestore export: JSON as the usual tools write it, to plain records.

`export` finds the documents whatever tool wrote them, `mapping` says which of their fields
mean what, `values` reads dates, times and texts, and `records` puts it together.
"""
