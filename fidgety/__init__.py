"""General Movements Assessment from video: the library behind the workflow.

The library knows nothing of Snakemake. Data flows one way::

    video -> background -> pose -> features
        -> datasets -> models -> training -> evaluation -> report

and a folder imports only from those left of it and from the base modules
(:mod:`~fidgety.errors`, :mod:`~fidgety.config`, :mod:`~fidgety.cohort`,
:mod:`~fidgety.files`, :mod:`~fidgety.storage`, :mod:`~fidgety.skeletons`,
:mod:`~fidgety.registry`, :mod:`~fidgety.fingerprint`).
"""

__version__ = "0.1.0"
