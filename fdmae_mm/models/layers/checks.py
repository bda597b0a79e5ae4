def check_counts(**values: object) -> None:
    """Refuse what is no whole number above 0.

    Args:
        **values (object): Values by the name of their field.

    Raises:
        ValueError: The first that is none.
    """
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f'{name}={value!r} must be a whole number above 0.')
