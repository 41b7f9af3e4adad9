"""The pages, one module a subject: each reads its parameters, asks one service and draws."""
