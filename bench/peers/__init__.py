"""The same API written in the two ways that are usual, to compare with.

Both do less than AIMS: a teacher reaches only their own classes, marks have versions but no
history, nobody is on leave, and nothing is limited or logged. What is left out favours them.
"""
