package engine

import (
	"sync/atomic"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// Rows of a device that go to an account, and attention for the copies of its
// rows, cross from the device's shard to the account's within the message that
// caused them: each shard first applies the rows of its own readers, then all
// meet, then each applies what came for its accounts. So the state after a
// message is the same for any number of shards.

// box is what one shard has for another after the first half of a message.
type box struct {
	carries  []carry
	forwards []forward
}

// carry are the rows without an account and the burns of one device that an
// account takes over with a proof.
type carry struct {
	site            string
	place, row      int // of the proof in the message: its site's place and its row
	device, account string
	rows            []carriedRow
	cells           []carriedCell
	burns           []placedBurn
	now             int64 // the site's clock
}

type carriedRow struct {
	time   int64
	source uint64 // names the row among those that may get attention: see joinedKey
	value  int64
	cells  int // number in carry.cells
	millis uint32
	scroll uint8
	class  typeClass
	robot  bool
	valued bool
}

type carriedCell struct {
	column   int    // -1: a property
	property string // its name: numbers of properties are the shard's own
	text     string
	kind     event.Kind
}

// forward is attention for the copy of a page view.
type forward struct {
	site string
	key  uint64 // of accountState.views
	engagement
}

// exchange is where the shards meet in the middle of a message.
type exchange struct {
	boxes [][]box // by sending shard, by receiving shard; nil: nothing
	left  atomic.Int32
	ready chan struct{}
}

func newExchange(shards int) *exchange {
	x := &exchange{boxes: make([][]box, shards), ready: make(chan struct{})}
	x.left.Store(int32(shards))
	return x
}

// meet hands over what a shard has for the others and returns when all have;
// false means that the engine has stopped.
func (x *exchange) meet(s *shard, out []box) bool {
	x.boxes[s.number] = out
	if x.left.Add(-1) == 0 {
		close(x.ready)
		return true
	}
	select {
	case <-x.ready:
		return true
	case <-s.engine.failed:
		return false
	case <-s.engine.closing:
		return false
	}
}

// copyKey names the copy of a page view among the views of accounts: by its view
// and the hash of its device.
func copyKey(view, device uint64) uint64 { return view ^ device*0x9e3779b97f4a7c15 | 1 }

// joinedKey names the copy of a joined row among the views of accounts: the row
// by its place in the device's shard, and the account.
func joinedKey(shard int, id block.RowID, account uint64) uint64 {
	key := account ^ (uint64(shard)<<32|uint64(id))*0x9e3779b97f4a7c15
	return key ^ key>>29 | 1
}
