"""What cohorts of digital phantoms are called, so that every table tells them from infants."""


def is_phantom(cohort: str) -> bool:
    """Whether a cohort is one of digital phantoms, by its name."""
    return cohort == "phantom" or cohort.startswith("phantom-")
