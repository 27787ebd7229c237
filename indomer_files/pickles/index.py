"""The index of a pickle: which array lies where, found as far as it is asked for."""

import bisect
import dataclasses
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from indomer_files.pickles.forms import EntryForm
from indomer_files.pickles.rules import ByteSource, Rules
from indomer_files.pickles.values import Content, StoredArray
from indomer_files.pickles.walker import SkimmedError, Walker

# Entries that are walked through before the places of others are foretold: the form of the second
# and third is known then.
_N_WALKED = 4

# Picklers append so many items at a time, with APPENDS and MARK in between; the file ends with
# APPENDS and STOP.
_BATCH_ENTRIES, _BETWEEN_BATCHES, _END = 1000, b"e(", b"e."


@dataclasses.dataclass(frozen=True, slots=True)
class _Foretold:
    """Where an array is expected, and what has to lie before it from the last payload on."""

    array: StoredArray
    gap_start: int
    between_entries: bytes


class PickleIndex:
    """The arrays of a pickle by key, each found when it is first asked for.

    Foretelling: a server that gives one range a request would have to be asked once for each array
    that is passed over. But entries of one form differ in nothing but their names, so an order of
    the names tells the place of each, and the size of the file. Where that is its size, arrays are
    expected at these places. What is there is seen before an array is read, and all that lies
    between payloads is seen by `complete`.

    Args:
        source: The file.
        rules: What is known of it.
        key_of: What an array is found by, of its name. Names with one key are one array.
        orders: Function that gives lists of names, orders in which the entries may follow each
            other. Without it, nothing is foretold.
    """

    def __init__(
        self,
        source: ByteSource,
        rules: Rules,
        key_of: Callable[[str], str],
        orders: Callable[[], Iterable[list[str]]] | None = None,
    ) -> None:
        self._source, self._rules, self._key_of = source, rules, key_of
        self._orders = orders
        self._arrays: dict[Hashable, StoredArray] = {}
        # Key -> array: those whose place is foretold, and those of them that were seen there.
        self._form: EntryForm | None = None
        self._foretold: dict[Hashable, _Foretold] = {}
        self._seen: dict[Hashable, StoredArray] = {}
        self._walker: Walker | None = None
        self._walk: Iterator[StoredArray] = iter(())
        self._is_complete = False
        self._lock = threading.RLock()

    def find(self, key: str, may_be_foretold: bool = False) -> StoredArray | None:
        """Look an array up, indexing on until it is found.

        Args:
            key: As `key_of` gives it.
            may_be_foretold: Whether an array will do that nobody has seen yet.
        """
        array = self._known(key, may_be_foretold)
        if array is None:
            with self._lock:
                # Another thread may have come as far in the meantime.
                while (
                    array := self._known(key, may_be_foretold)
                ) is None and not self._is_complete:
                    if key in self._foretold:
                        self._look_at(key)
                    else:
                        self._index_until(lambda found: found == key or self._may_foretell)
                        if self._may_foretell:
                            self._foretell()
        return array

    def arrays(self) -> list[StoredArray]:
        """All arrays in the order of the file, which was read to its end."""
        self.complete()
        return list(self._arrays.values())

    @property
    def is_complete(self) -> bool:
        """Whether the file was read to its end."""
        return self._is_complete

    def known(self) -> list[StoredArray]:
        """Arrays that were found so far, and those whose places are foretold."""
        with self._lock:
            foretold = {key: one.array for key, one in self._foretold.items()}
            return list((self._arrays | foretold).values())

    def spread(self, n_arrays: int) -> list[StoredArray]:
        """So many arrays that lie spread over the file, or all that there are.

        No more is indexed than that takes: where places are foretold, some are looked at there;
        else, of a file that was not read to its end, these are its first arrays.
        """
        with self._lock:
            while not self._is_complete and len(self._arrays | self._seen) < n_arrays:
                if self._foretold:
                    unseen = [one for key, one in self._foretold.items() if key not in self._seen]
                    if not unseen:
                        break
                    if not self._are_seen(unseen[:: -(-len(unseen) // n_arrays)]):
                        self._foretold = {}
                else:
                    self._index_until(lambda _: self._may_foretell or len(self._arrays) >= n_arrays)
                    if self._may_foretell:
                        self._foretell()
            found = sorted((self._arrays | self._seen).values(), key=_place)
        if n_arrays >= len(found):
            return found
        places = list(map(_place, found))
        step = (places[-1] - places[0]) / max(1, n_arrays - 1)
        # As places in the file are spread: arrays that were found may lie close together.
        nearest = {bisect.bisect_left(places, places[0] + i * step) for i in range(n_arrays)}
        return [found[i] for i in sorted(nearest) if i < len(found)]

    def complete(self) -> Walker:
        """Index the file to its end; return the walk that did it."""
        with self._lock:
            if self._foretold and not self._is_complete:
                self._confirm()
            if not self._is_complete:
                self._index_until(lambda _: False)
        assert self._walker is not None
        return self._walker

    def _known(self, key: str, may_be_foretold: bool) -> StoredArray | None:
        array = self._arrays.get(key) or self._seen.get(key)
        if array is None and may_be_foretold and key in self._foretold:
            return self._foretold[key].array
        return array

    def _index_until(self, is_reached: Callable[[str], bool]) -> None:
        """Go on until this is true of the key of an array, or to the end."""
        if self._walker is None:
            self._begin()
        try:
            with self._source.sparse_reading():
                for array in self._walk:
                    found = self._key_of(array.name)
                    if found in self._arrays:
                        raise self._rules.error(
                            f"{self._source.name}: {self._rules.noun} {array.name!r} is in the "
                            f"file twice. {self._rules.damaged_advice}"
                        )
                    self._arrays[found] = array
                    if is_reached(found):
                        return
            self._is_complete = True
        except SkimmedError:
            self._begin(may_skim=False)
            self._index_until(is_reached)
        except BaseException:
            # Half an index must not be taken for a whole one: the next call starts anew.
            self._walker, self._arrays = None, {}
            raise

    def _begin(self, may_skim: bool = True) -> None:
        self._arrays = {}
        self._walker = Walker(self._source, self._rules, may_skim)
        self._walk = iter(self._walker)

    # Foretelling.

    @property
    def _may_foretell(self) -> bool:
        """Whether the orders can be tried: once, when some entries were walked through."""
        is_walked = len(self._arrays) >= _N_WALKED
        return self._orders is not None and is_walked and not self._is_complete

    def _foretell(self) -> None:
        assert self._orders is not None and self._walker is not None
        orders, self._orders, self._form = self._orders, None, self._walker.form
        walked = list(self._arrays.values())
        for order in orders() if self._form is not None else ():
            keys = list(map(self._key_of, order))
            if keys[: len(walked)] == list(self._arrays) and len(set(keys)) == len(keys):
                foretold, stop = self._lay_out(keys[len(walked) :], walked)
                is_whole = foretold and stop + len(_END) == self._source.size
                if is_whole and self._are_seen([foretold[len(foretold) // 2], foretold[-1]]):
                    self._foretold = {self._key_of(one.array.name): one for one in foretold}
                    return

    def _are_seen(self, foretold: Sequence[_Foretold]) -> bool:
        """Whether some arrays are where they were foretold."""
        if not self._are_there(foretold):
            return False
        self._seen |= {self._key_of(one.array.name): one.array for one in foretold}
        return True

    def _lay_out(self, keys: list[str], walked: list[StoredArray]) -> tuple[list[_Foretold], int]:
        """Arrays of these keys, if they follow those that were walked through; where they end."""
        form, last = self._form, walked[-1]
        assert form is not None
        prefix, _, suffix = last.name.partition(self._key_of(last.name))
        foretold, gap_start = [], last.payload.start + form.n_bytes
        for number, key in enumerate(keys, len(walked)):
            name = prefix + key + suffix
            between = _BETWEEN_BATCHES if number % _BATCH_ENTRIES == 0 else b""
            start = gap_start + form.n_after + len(between) + form.n_before(name)
            array = dataclasses.replace(last, name=name, payload=Content(start, form.n_bytes))
            foretold.append(_Foretold(array, gap_start, between))
            gap_start = start + form.n_bytes
        return foretold, gap_start + form.n_after

    def _are_there(self, foretold: Sequence[_Foretold]) -> bool:
        """Whether all that lies before the payloads of some arrays is as it was foretold."""
        spans = [(one.gap_start, one.array.payload.start) for one in foretold]
        gaps = self._source.read_many(spans)
        return all(map(self._is_gap, foretold, gaps))

    def _is_gap(self, foretold: _Foretold, gap: bytes) -> bool:
        form = self._form
        assert form is not None
        head = gap[form.n_after + len(foretold.between_entries) :]
        n_left = self._source.size - foretold.gap_start
        is_end = form.is_end(gap, n_left, foretold.between_entries + head[:1])
        return is_end and form.match(head) == (foretold.array.name, len(head))

    def _look_at(self, key: str) -> None:
        """See whether an array is where it was foretold; if not, nothing is foretold any more."""
        foretold = self._foretold[key]
        payload = foretold.array.payload
        # With its frames, which will be asked for next.
        self._source.fetch(foretold.gap_start, payload.start + payload.stored)
        if self._is_gap(foretold, self._source.read(foretold.gap_start, payload.start)):
            self._seen[key] = foretold.array
        else:
            self._foretold = {}

    def _confirm(self) -> None:
        """See whether all that was foretold is there, up to the end of the file."""
        form = self._form
        assert form is not None
        last = next(reversed(self._foretold.values())).array.payload
        end_start = last.start + last.stored
        end = self._source.read(end_start, self._source.size)
        unseen = [one for key, one in self._foretold.items() if key not in self._seen]
        if form.is_end(end, len(end), _END) and self._are_there(unseen):
            self._arrays |= {key: one.array for key, one in self._foretold.items()}
            self._is_complete = True
        # Else the walk tells what is there instead, and where.
        self._foretold = {}


def _place(array: StoredArray) -> int:
    return array.payload.start
