"""Whether pictures can be drawn here without a screen.

VTK loads OpenGL when it draws, and ends the whole process where it finds none. So it is asked
for first: EGL with any driver, Mesa's software one included. The wheels carry everything else.
The standard library alone is used, so that ``python fidgety/phantom/graphics.py`` answers before
anything is installed.
"""

from __future__ import annotations

import ctypes
import os
import sys

PLATFORM_SURFACELESS_MESA = 0x31DD
REMEDY = (
    "Phantoms cannot be drawn: OpenGL without a screen (EGL) is missing. Install it (Debian, "
    "Ubuntu: apt-get install libegl1 libgl1-mesa-dri), or run without phantoms "
    "(`phantom: {preset: none}` in config.yaml)."
)


def has_graphics() -> bool:
    """Tell whether EGL loads and has a driver."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
        egl.eglGetPlatformDisplay.restype = ctypes.c_void_p
        egl.eglGetPlatformDisplay.argtypes = [ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]
        egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        display = egl.eglGetPlatformDisplay(PLATFORM_SURFACELESS_MESA, None, None)
        if display and egl.eglInitialize(display, None, None):
            return True
        ctypes.CDLL("libEGL_nvidia.so.0")
    except (OSError, AttributeError):
        return False
    return True


def prepare_graphics() -> None:
    """Make VTK draw through EGL; call it before the first import of VTK or pyvista.

    VTK would try an X server first, and ends the process where X's libraries are missing.

    Raises
    ------
    FidgetyError
        If there is no EGL, with what to install.
    """
    from fidgety.errors import FidgetyError

    if not has_graphics():
        raise FidgetyError(REMEDY)
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


if __name__ == "__main__":
    if not has_graphics():
        print(REMEDY, file=sys.stderr)
        sys.exit(1)
