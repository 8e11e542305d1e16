"""Read a Firestore export, JSON as the usual tools write it, into plain records.

`export` finds the documents, whichever tool wrote them; `mapping` says what their fields mean;
`values` reads dates, times and texts; `records` puts everything together.
"""
