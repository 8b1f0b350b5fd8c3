"""How believable answers are under several conditions of the same memory: by rule where that is possible, by judges where it is not.

As in Generative Agents (Park et al., arXiv 2304.03442, section 6): whoever judges is shown one who is asked, the question, and an answer
for each condition, and ranks them. ``answers`` reads interviews from records, ``judges`` asks models, ``evaluation`` makes the tables.
"""
