# SPDX-License-Identifier: GPL-2.0-or-later
"""Open H.264 rectangles (encoding 50) as a viewer decodes them: by FFmpeg's libavcodec, picture by picture, one decoder for each place.

The first fields of FFmpeg's public structs are all that is looked at; they are the same since version 4.
"""
import ctypes
import functools
import math

from quantiser import Quantisers

ENCODING = 50
RESET, RESET_ALL = 1, 2
CONTEXTS = 64                        # that a viewer has to have at most
PLANES = 8


class Packet(ctypes.Structure):
    _fields_ = [("buf", ctypes.c_void_p), ("pts", ctypes.c_int64), ("dts", ctypes.c_int64), ("data", ctypes.c_void_p),
                ("size", ctypes.c_int)]


class Frame(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p * PLANES), ("linesize", ctypes.c_int * PLANES), ("extended", ctypes.c_void_p),
                ("width", ctypes.c_int), ("height", ctypes.c_int), ("samples", ctypes.c_int), ("format", ctypes.c_int)]


VERSIONS = {"avutil": range(60, 55, -1), "avcodec": range(62, 57, -1), "swscale": range(9, 4, -1)}      # FFmpeg 4 to 8


def load(name):
    for version in VERSIONS[name]:
        try:
            return ctypes.CDLL(f"lib{name}.so.{version}")
        except OSError:
            pass
    raise ImportError(f"lib{name} is not there")


class Libraries:
    """FFmpeg's."""

    def __init__(self):
        self.util, self.codec, self.scale = map(load, ("avutil", "avcodec", "swscale"))
        for library, names in ((self.codec, ("avcodec_find_decoder_by_name", "avcodec_alloc_context3", "av_packet_alloc")),
                               (self.util, ("av_frame_alloc",)), (self.scale, ("sws_getContext",))):
            for name in names:
                getattr(library, name).restype = ctypes.c_void_p
        self.util.av_log_set_level(-8)   # AV_LOG_QUIET
        self.bgr0 = self.util.av_get_pix_fmt(b"bgr0")


@functools.cache
def libraries():
    return Libraries()


def there():
    try:
        return bool(libraries())
    except ImportError:
        return False


class Decoder:
    """One place's."""

    def __init__(self):
        codec = ctypes.c_void_p(libraries().codec.avcodec_find_decoder_by_name(b"h264"))
        self.context = ctypes.c_void_p(libraries().codec.avcodec_alloc_context3(codec))
        if libraries().codec.avcodec_open2(self.context, codec, None) < 0:
            raise AssertionError("no decoder")
        self.packet = ctypes.cast(libraries().codec.av_packet_alloc(), ctypes.POINTER(Packet))
        self.frame = ctypes.cast(libraries().util.av_frame_alloc(), ctypes.POINTER(Frame))

    def decode(self, data, width, height):
        """XRGB8888 of the one picture that @data must be."""
        data += bytes(64)            # AV_INPUT_BUFFER_PADDING_SIZE
        room = ctypes.create_string_buffer(data, len(data))
        self.packet.contents.data = ctypes.addressof(room)
        self.packet.contents.size = len(data) - 64
        if libraries().codec.avcodec_send_packet(self.context, self.packet) < 0:
            raise AssertionError("broken H.264 data")
        if libraries().codec.avcodec_receive_frame(self.context, self.frame) < 0:
            raise AssertionError("no picture came of one that was sent")
        frame = self.frame.contents
        if (frame.width, frame.height) != (width, height):
            raise AssertionError(f"a picture of {frame.width}x{frame.height} in a rectangle of {width}x{height}")
        out = self.convert(frame)
        if libraries().codec.avcodec_receive_frame(self.context, self.frame) >= 0:
            raise AssertionError("two pictures in one rectangle")
        return out

    @staticmethod
    def convert(frame):
        width, height = frame.width, frame.height
        context = ctypes.c_void_p(libraries().scale.sws_getContext(width, height, frame.format, width, height, libraries().bgr0, 4,
                                                                 None, None, None))   # SWS_BICUBIC
        out = ctypes.create_string_buffer(width * height * 4 + 64)
        planes = (ctypes.c_void_p * PLANES)(ctypes.addressof(out))
        strides = (ctypes.c_int * PLANES)(width * 4)
        libraries().scale.sws_scale(context, frame.data, frame.linesize, 0, height, planes, strides)
        libraries().scale.sws_freeContext(context)
        return out.raw[:width * height * 4]

    def close(self):
        libraries().util.av_frame_free(ctypes.byref(self.frame))
        libraries().codec.av_packet_free(ctypes.byref(self.packet))
        libraries().codec.avcodec_free_context(ctypes.byref(self.context))


class Decoders:
    """A viewer's."""

    def __init__(self):
        self.places = {}
        self.shots = []              # that came: (place, flags, bytes)
        self.last = None             # (place, XRGB8888)
        self.heads = Quantisers()
        self.quantisers = []         # of those that do not stand alone

    def rect(self, place, flags, data):
        """None: nothing to be shown."""
        self.shots.append((place, flags, len(data)))
        if flags & RESET_ALL:
            for decoder in self.places.values():
                decoder.close()
            self.places.clear()
        if flags & RESET and place in self.places:
            self.places.pop(place).close()
        if not data:
            return None
        if place not in self.places:
            if len(self.places) >= CONTEXTS:
                raise AssertionError("more decoders than a viewer has")
            if not flags & (RESET | RESET_ALL):
                raise AssertionError("begins without a reset")
            self.places[place] = Decoder()
        self.last = place, self.places[place].decode(data, *place[2:])
        quantiser = self.heads.look(data)
        if quantiser is not None:
            self.quantisers.append(quantiser)
        return self.last[1]


def psnr(got, wanted):
    """In dB, of XRGB8888; X does not count."""
    total = 0
    for channel in range(3):
        total += sum((a - b) ** 2 for a, b in zip(got[channel::4], wanted[channel::4]))
    return 10 * math.log10(255 ** 2 * (len(wanted) // 4 * 3) / total) if total else math.inf
