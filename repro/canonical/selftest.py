def require_fit_machine():
    pass
