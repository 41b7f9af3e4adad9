"""How well search finds: questions with known answers, scored, and compared with before."""
