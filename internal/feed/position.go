package feed

import (
	"errors"
	"strconv"
	"strings"
)

// position is a place in a feed: after the event with this number. Written as
// "<epoch>-<seq>" it is the id of an SSE frame.
type position struct {
	epoch, seq int64
}

func (p position) String() string { return string(p.append(nil)) }

func (p position) append(b []byte) []byte {
	b = strconv.AppendInt(b, p.epoch, 10)
	b = append(b, '-')
	return strconv.AppendInt(b, p.seq, 10)
}

var errPosition = errors.New("a feed id has the form <epoch>-<number>")

// parsePosition reads what [position.String] writes, and nothing else: an id
// that we did not write was not ours.
func parsePosition(id string) (position, error) {
	epoch, seq, found := strings.Cut(id, "-")
	e, errEpoch := strconv.ParseUint(epoch, 10, 63)
	s, errSeq := strconv.ParseUint(seq, 10, 63)
	p := position{epoch: int64(e), seq: int64(s)}
	if !found || errEpoch != nil || errSeq != nil || p.String() != id {
		return position{}, errPosition
	}
	return p, nil
}
