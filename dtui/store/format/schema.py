"""The format of a run on disk, versions 1 and 2: this text specifies them; file names, sizes and limits are below.

It is all that a program in another language needs to read a run. `dtui.store.format.frames` lays out frames,
`dtui.store.format.part_arrays` the arrays of a part, `dtui.store.format.contents_document` lists what a run holds. A
run is begun in format 2; one of format 1 is read, and goes on as one. Where they differ, the text says so.

A run is a directory `NAME.dtui`:

    run.json                       who writes it, whether it was closed, where it was resumed; replaced atomically
                                   ("closed": null, "done" or "crashed"; "done" with a "reason" is a run that ended by
                                   itself, though not all of the training was seen; "ended": when it was closed, ISO
                                   8601 with offset; not in format 1, while it is open, or from an older dtui)
    heartbeat                      its modification time changes once a second: the writer's sign of life
    turn-<n>.json                  n of 10 digits, from 2 on: the n-th process to record the run; it has claimed that by
                                   making the file, which was not there; {run, turn, writer, fence, check}; optional
    structure.h5                   metadata, classes, modules, layers, graph; written once
    images.h5                      targets, ids and thumbnails of the tracked images; written once
    journal/<stream>-<first>.dtj   the newest frames of a stream, appended; named by the ordinal of its first frame
    parts/<stream>-<first>-<stop>.h5   frames `first` to `stop` (exclusive) of a stream; immutable, published by rename
    gaps.jsonl                     what could not be recorded, one line per gap
    triggers.jsonl                 what the flight recorder fired on, one line per trigger; optional
    weights.jsonl                  weights of the filters that a trigger names, a line for those before it and one for
                                   those after it: iteration and layer of the trigger, at (the iteration after whose
                                   update they were read; less than iteration: before), shape (of one filter, without
                                   the filters' axis), filters (indices within the layer), values (base64 of float32,
                                   little-endian: of each filter equally many elements, the first ones in C order);
                                   optional; written up to 12 MiB
    nonfinite.jsonl                where gradients were NaN or Inf, a line each time that it begins: iteration (of the
                                   update), broken and finite (names of layers and normalisation layers whose gradients
                                   were so), weights (of those whose weights were NaN or Inf before it), statistics and
                                   sound_statistics (of normalisation layers whose running statistics were NaN or Inf,
                                   or finite), loss (true: finite; false; null: not known); and a line that says whether
                                   every update is looked at: iteration, layers (how many; 0: none), share (of an
                                   update's time, what the look costs); optional; written up to 1 MiB
    logged.jsonl                   what was logged between records, with its own iteration: iteration, values (name to
                                   number, also NaN, Infinity, -Infinity), a line an iteration; optional
    triage.jsonl                   people's decisions on anomalies, one line per decision
    findings.h5                    anomalies, evidence, how images were learned, what reports draw of long runs, what
                                   a terminal shows first: a cache of answers that a viewer writes, where it may;
                                   /document (JSON: run, tables with key, rows and columns; 5 columns where it does not
                                   say), /findings/table<n> (rows, columns) int64; ignored where anything in the key
                                   differs, such as files, which is made of the sizes and times of all files of frames,
                                   or, for what is known of the first validations of a live run, of the files that hold
                                   these
    stop.json                      somebody asks the process that records the run to stop: {run, turn, why, who, when,
                                   check}; the recorder heeds it where run and turn (or a later one) are its own, so a
                                   training that is resumed afterwards is not stopped; at most 4,096 bytes; optional
    compact.lock                   who is folding journals into parts at the moment
    resume.lock                    who is taking the run over from a dead writer at the moment, or is about to record
                                   the first record here: a folder with nothing but that is claimed, and no run yet

There are three streams: `records`, `validations` and `watches`. A watch is a frame of the flight recorder, laid out
as a record, NaN in what it does not measure; a run without one has no file of that stream. The ordinal of a frame is
its position in its stream, from 0. A frame is FRAME_HEADER and a payload: the fields of `frame_fields` one after the
other, then a JSON object of scalars. Every `.h5` file ends in a seal (see `dtui.store.disk.seal`). run.json and each
line of a `.jsonl` file hold in "check" the CRC-32 of themselves without it, keys sorted, in 8 hexadecimal digits.

A frame holds the last value of each name that was logged since the frame before, and so repeats what logged.jsonl holds
of that stretch; a value there belongs to the last update that was done when it was logged. Of a name that is logged at
every update there are frames alone.

structure.h5 has one array, /document (JSON: run, metadata (in it keep_around, optional: watches that the flight
recorder keeps around a trigger, 0 where it is off; of the first process), classes, layers, modules, edges; coverage,
optional: how many elements the network's parameters have, how many of them are in recorded layers, how many parameters
are not, and the largest of those; norms, optional: the normalisation layers, of each name, kind, channels and layer,
the name of the layer that it follows or ""; trained, optional: how many elements have the parameters that require a
gradient when recording begins (parameters), and the indices of the layers that do not (frozen); activations, optional:
of each layer [of, then], the module whose outputs are read in validations and the activation function that follows it
or "", or "" and why there is none; parameters, optional: the parameters outside the layers, at most 1,024, of each
name, kind (of its module), elements and layer, as of norms; heads, optional: groups of attention heads, of each layer
(index), part ("query", "key", "value", "output"), first, step, size and count: head h is the filters from first + h *
step on, size of them, or where of_inputs is true so many inputs; adapters, optional: small changes learned beside
weights, of each name (of the module that it changes), adapter, kind ("LoRA", or one that is not measured), rank, scale
(when recording began), base (the recorded layer whose weight it changes, or "") and layers (that it is made of);
groups, optional: of each layer its groups, where the network has transposed convolutions; channel_norms, optional:
places in norms, ascending, of the normalisation layers whose channels have rows, at most 65,536 rows together; in
format 2 also format and holds, what the run holds). Frames and parts are laid out by holds:

    sources      of layer statistics, in storage order
    tracks       kinds of rows (kind) and what is measured of them (statistics, in storage order): filters and layers,
                 which are always there, and others, of so many rows (rows), such as heads; norms has a row for each
                 item of norms above, parameters for each of parameters,
                 channels for each channel of channel_norms, layer by layer. Of a statistic: name, of (sources), bits
                 (of mantissa that are kept, 1 to 23; 23 of layers), watched (whether watches have a value), norm_of
                 (of filters, optional: mean and standard deviation from which it follows in records, as
                 √elements · √(mean² + std²))
    judgements   columns of a frame: name, dtype (|u1 <u2 <u4 <f2 <f4 <f8), stream (whose frames have it) and rows (of a
                 frame; without it, one an image): label and confidence, and others, such as scores of images, sample
                 ids of batches or kept weights

A frame of records or watches holds those of filters (statistics, F), layers and modules (sources, statistics, L or M),
histograms, change ratios, then each other track (statistics, rows) and its stream's columns; one of validations its
columns. A name has 1 to 64 lower-case letters, digits and underscores, a letter first, and stands once in its list;
there are at most 1,024 entries. A reader passes over statistics, tracks, columns and keys that it does not know, and
over validations without label and confidence; whoever folds or packs the run keeps them all. A recorder that goes on
with a run writes NaN for a statistic that it does not measure, and leaves a run alone that holds tracks or columns
which it does not know. A run of format 1 holds what FORMAT_1 lists (`dtui.store.format.contents`).

images.h5 of I images has /document (JSON: run, classes, ids; columns, optional: further columns of validations, as in
judgements, which follow those; judging, optional), /targets (I,) uint16, ascending, and where there are
thumbnails /thumbnail_offsets (I + 1,) int64 and /thumbnails (bytes,) uint8, one after the other.
judging says that a number an item, the column score, decides what is right, and not the largest class score: score
(its name), better ("higher" or "lower"), rule ("threshold", "tenth" or "label"; see `dtui.model.judging`), threshold
(a number, or null), other (the label of an item that is not right and has no label of its own; no item belongs to that
class, the others are groups of items) and has_scores. A reader that does not know the rule shows label and class alone.
Of activations there are activation_zeros and activation_mean (F), a share of what is not above zero and a mean, and
most_exciting (9 F): of each filter nine rows of images.h5, the strongest first; NaN and 4294967295 where there is none.

A training that goes on from a checkpoint is a join, an item of "joins" in run.json: the iteration of its first update,
of each stream the ordinals that it supersedes (first, stop), and how many lines of gaps.jsonl, triggers.jsonl,
weights.jsonl, nonfinite.jsonl and logged.jsonl came before it. It is written before the first frame that follows it.
Superseded frames do not count: of a part they are the last ones. A line before a join does not count where its
iteration is at or after that of the join. Where another writer might still append, the first new frame has an ordinal
out of its reach, at least the "fence" of its turn: the join supersedes all between. run.json holds the "turn" of its
writer, where it is not 1; the writer with the highest turn records the run.

What an `.h5` file uses of HDF5 is what version 1.6 has, and a reader may refuse anything else: a superblock of version
0, object headers of version 1, groups with symbol tables, and arrays of the types below in chunks with an index of
version 1 in which every chunk is there. Chunks have the filters Blosc2 (32026: lz4 or lz4hc, shuffled bits, one frame a
chunk) and then fletcher32 (3), or fletcher32 alone.

Arrays in a part of n records or watches: F filters, L layers, M modules, S scalars; of n validations: I images, C
classes. All are chunked. A node with an axis of length 0 is left out.

    /iterations              (n,)          int64, ascending
    /document                (bytes,)      uint8, JSON: stream, first, stop, run, scalars (names in storage order)
    /filters/<statistic>     (F, n)        float32, mantissa rounded to its bits (in records
                                           without those with norm_of)
    /bins/<statistic>        (F, ⌈n / 8⌉)  float32, the value farthest from zero of 8 frames (NaN left out, the
                                           positive one of two equally far); optional, in parts of 1,024 frames or more
    /layers/<source>         (K, L, n)     float32, K statistics of layers
    /modules/<source>        (K, M, n)     float32
    /layers/histogram        (L, bins, n)  uint32
    /layers/change_ratio     (L, edges, n) float32
    /scalars                 (S, n)        float64, NaN where a name was not logged; a logged NaN has the bits
                                           7FF8000000000001 (in runs of before 0.1.0 it has not)
    /tracks/<kind>/<statistic> (rows, n)   float32, of other tracks, mantissa rounded to its bits
    /columns/<name>          (rows, n)     its dtype, of other columns; samples (watches) and record_samples (records)
                                           hold ids of the training samples of an update, NaN behind the last, and
                                           sample_count and record_sample_count how many it had
    /validation/label        (I, n)        uint16; in a run of at most 65,535 classes 65,535 says that the image was not
                                           judged, or that its outputs were NaN; errors leave it out
    /validation/confidence   (I, n)        uint8
    /classes/error           (C, n)        float32, NaN for a class without images, or of which one was not judged

A packed run is one such file, NAME.h5, whose seal says so. It is made once and never changes:

    /document                JSON: format, run, status and reason (how it had ended), streams (to frames, and to the
                             stretches of frames at which an array without NaN was damaged), images, joins, lines (of
                             each .jsonl file), missing (one line per missing item)
    /structure/document      the array of structure.h5
    /images/…                those of images.h5
    /<stream>/…              those of one part that holds all readable frames of the stream, in order from 0

Later decisions on it go to NAME.triage.jsonl next to it, each with the id of the run.
"""

from __future__ import annotations

import math
from dataclasses import replace
from enum import StrEnum

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageSet, Structure
from dtui.model.columns import Column
from dtui.run_path import CACHE_FILE
from dtui.store.format.contents import FORMAT_1, Contents

RUN_FILE = "run.json"
HEARTBEAT_FILE = "heartbeat"
STRUCTURE_FILE = "structure.h5"
IMAGES_FILE = "images.h5"
GAPS_FILE = "gaps.jsonl"
TRIGGERS_FILE = "triggers.jsonl"
FINDINGS_FILE = CACHE_FILE
LOGGED_FILE = "logged.jsonl"
TRIAGE_FILE = "triage.jsonl"
WEIGHTS_FILE = "weights.jsonl"
NONFINITE_FILE = "nonfinite.jsonl"
STOP_FILE = "stop.json"
LINE_FILES = (GAPS_FILE, TRIGGERS_FILE, LOGGED_FILE, TRIAGE_FILE, WEIGHTS_FILE, NONFINITE_FILE)
LOCK_FILE = "compact.lock"
RESUME_LOCK_FILE = "resume.lock"
JOURNAL_FOLDER = "journal"
PARTS_FOLDER = "parts"
RUN_ENTRIES = frozenset(
    {
        *(RUN_FILE, HEARTBEAT_FILE, STRUCTURE_FILE, IMAGES_FILE, FINDINGS_FILE, LOCK_FILE, RESUME_LOCK_FILE),
        *(*LINE_FILES, STOP_FILE, JOURNAL_FOLDER, PARTS_FOLDER),
    }
)
"""All that dtui puts into a run's folder: whoever finds something else there removes nothing."""
JOURNAL_SUFFIX = ".dtj"
PART_SUFFIX = ".h5"
PACKED_SUFFIX = ".h5"
TEMPORARY_MARK = ".tmp-"

SMALL_PART = 32
"""Frames in a full journal file, and in the part that it becomes."""
LARGE_PART = 1024
"""Frames in the part that full small parts become together."""

STRUCTURE_GROUP = "/structure"
IMAGES_GROUP = "/images"
DOCUMENT_NODE = "/document"
TARGETS_NODE = "/targets"
FINDINGS_NODE = "/findings/table"
THUMBNAILS_NODE = "/thumbnails"
THUMBNAIL_OFFSETS_NODE = "/thumbnail_offsets"

MOST_FILTERS = 20_000_000
MOST_IMAGES = 4_000_000
MOST_NODES = 1_000_000
MOST_CLASS_NAMES = 65_536
"""That a reader takes: one more than a recorder does now, for the runs of before."""
MOST_UNRECORDED = 1_024
MOST_VALUES = 5_000_000
"""In a JSON document: each takes up to a hundred bytes of memory once it is parsed."""
MOST_LOGGED_NAMES = 4_096
LAST_ITERATION = (1 << 62) - 1
LARGEST_SCALARS = 4 << 20
LARGEST_DOCUMENT = 64 << 20
LARGEST_THUMBNAILS = 1 << 40
LARGEST_CHUNK = 16 << 20
LARGEST_GROWTH = 4096
"""Times the bytes of its file that an array may hold, beyond LARGEST_CHUNK: zeros are stored in a two thousandth."""
LARGEST_ANSWER = 2 << 30
"""Bytes that one question about a run may take in memory."""


class Stream(StrEnum):
    """A sequence of frames of one kind."""

    RECORDS = "records"
    VALIDATIONS = "validations"
    WATCHES = "watches"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The contents of a run and the lengths of its axes, fixed by its structure and its images."""

    filters: int
    layers: int
    modules: int
    images: int = 0
    classes: int = 0
    layer_filters: tuple[tuple[int, int], ...] = ()
    """Of each layer: how many filters, and elements in each."""
    contents: Contents = FORMAT_1
    """What is measured on them, and what else there is."""
    image_columns: tuple[Column, ...] = ()
    """The columns of validations that are listed with the images."""

    @classmethod
    def of(cls, structure: Structure, contents: Contents) -> Sizes:
        """Return the sizes of a run whose images are not known yet."""
        filters = tuple((layer.filters, math.prod(layer.shape) // layer.filters) for layer in structure.layers)
        lengths = (structure.filters, len(structure.layers), len(structure.modules))
        return cls(*lengths, layer_filters=filters, contents=contents)

    def with_images(self, images: ImageSet) -> Sizes:
        """Return the sizes once the images are known, and with them further columns of validations."""
        listed = {column.name for column in self.contents.columns}
        columns = tuple(column for column in images.columns if column.name not in listed)
        return replace(self, images=len(images.ids), classes=len(images.classes), image_columns=columns)

    def columns(self, stream: Stream) -> list[tuple[Column, int]]:
        """Return the columns in frames of a stream, each with its number of rows, in storage order."""
        every = (*self.contents.columns, *self.image_columns)
        columns = [column for column in every if column.stream == stream]
        return [(column, self.images if column.rows is None else column.rows) for column in columns]


def journal_name(stream: Stream, first: int) -> str:
    """Return the file name of the journal that begins with the frame `first`."""
    return f"{stream}-{first:010d}{JOURNAL_SUFFIX}"


def part_name(stream: Stream, first: int, stop: int) -> str:
    """Return the file name of the part that holds the frames `first` to `stop`."""
    return f"{stream}-{first:010d}-{stop:010d}{PART_SUFFIX}"


def parse_journal_name(name: str) -> tuple[Stream, int] | None:
    """Return stream and first ordinal from a journal's name, None for any other file."""
    numbers = _numbers(name, JOURNAL_SUFFIX, 1)
    return None if numbers is None else (numbers[0], numbers[1][0])


def parse_part_name(name: str) -> tuple[Stream, int, int] | None:
    """Return stream, first ordinal and stop from a part's name, None for any other file."""
    numbers = _numbers(name, PART_SUFFIX, 2)
    if numbers is None or not numbers[1][0] < numbers[1][1]:
        return None
    return numbers[0], numbers[1][0], numbers[1][1]


def _numbers(name: str, suffix: str, count: int) -> tuple[Stream, list[int]] | None:
    if not name.endswith(suffix):
        return None
    head, *digits = name[: -len(suffix)].split("-")
    if head not in tuple(Stream) or len(digits) != count:
        return None
    if not all(len(text) == 10 and text.isascii() and text.isdigit() for text in digits):
        return None
    return Stream(head), [int(text) for text in digits]
