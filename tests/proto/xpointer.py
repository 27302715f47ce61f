# SPDX-License-Identifier: GPL-2.0-or-later
"""The pointer of an X server: moves it, and sees the cursor that the program below it has set (XFixes), which no screenshot shows. And a person's
hands there (XTEST)."""
import ctypes
import os


class Image(ctypes.Structure):
    """XFixesCursorImage of X11/extensions/Xfixes.h."""
    _fields_ = [("x", ctypes.c_short), ("y", ctypes.c_short), ("width", ctypes.c_ushort), ("height", ctypes.c_ushort),
                ("hot_x", ctypes.c_ushort), ("hot_y", ctypes.c_ushort), ("serial", ctypes.c_ulong),
                ("pixels", ctypes.POINTER(ctypes.c_ulong)), ("atom", ctypes.c_ulong), ("name", ctypes.c_char_p)]


class Pointer:
    def __init__(self, display):
        self.x11, self.fixes = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXfixes.so.3")
        self.x11.XOpenDisplay.restype = self.x11.XDefaultRootWindow.restype = ctypes.c_void_p
        self.fixes.XFixesGetCursorImage.restype = ctypes.POINTER(Image)
        self.display = ctypes.c_void_p(self.x11.XOpenDisplay(os.fsencode(display)))
        if not self.display:
            raise AssertionError(f"no X server at {display}")
        self.root = ctypes.c_void_p(self.x11.XDefaultRootWindow(self.display))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.x11.XCloseDisplay(self.display)

    def move(self, x, y):
        self.x11.XWarpPointer(self.display, None, self.root, 0, 0, 0, 0, x, y)
        self.x11.XSync(self.display, 0)

    def _xtest(self):
        if not hasattr(self, "xtest"):
            self.xtest = ctypes.CDLL("libXtst.so.6")
            self.x11.XStringToKeysym.restype = ctypes.c_ulong
            self.x11.XKeysymToKeycode.argtypes = [ctypes.c_void_p, ctypes.c_ulong]
            self.x11.XKeysymToKeycode.restype = ctypes.c_ubyte
        return self.xtest

    def key(self, name, down):
        """By X's name of it: "a", "Return"."""
        xtest = self._xtest()
        code = self.x11.XKeysymToKeycode(self.display, self.x11.XStringToKeysym(name.encode()))
        xtest.XTestFakeKeyEvent(self.display, ctypes.c_uint(code), down, ctypes.c_ulong(0))
        self.x11.XSync(self.display, 0)

    def focus(self):
        """What a window manager does when one clicks: the keyboard goes to the uppermost window. Viewers may rely on it: TigerVNC 1.15 does."""
        root, parent, windows, number = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
        self.x11.XQueryTree(self.display, self.root, ctypes.byref(root), ctypes.byref(parent), ctypes.byref(windows), ctypes.byref(number))
        if not number.value:
            raise AssertionError("no window is there")
        revert_to_root = 1
        self.x11.XSetInputFocus(self.display, ctypes.c_ulong(windows[number.value - 1]), revert_to_root, ctypes.c_ulong(0))
        self.x11.XFree(windows)
        self.x11.XSync(self.display, 0)

    def button(self, number, down):
        self._xtest().XTestFakeButtonEvent(self.display, ctypes.c_uint(number), down, ctypes.c_ulong(0))
        self.x11.XSync(self.display, 0)

    def go(self, x, y):
        """As a mouse does it, so that programs see it move."""
        self._xtest().XTestFakeMotionEvent(self.display, -1, x, y, ctypes.c_ulong(0))
        self.x11.XSync(self.display, 0)

    def cursor(self):
        """(width, height, hot x, hot y, premultiplied ARGB bytes)."""
        found = self.fixes.XFixesGetCursorImage(self.display)
        image = found.contents
        pixels = b"".join((image.pixels[i] & 0xffffffff).to_bytes(4, "little") for i in range(image.width * image.height))
        seen = (image.width, image.height, image.hot_x, image.hot_y, pixels)
        self.x11.XFree(found)
        return seen
