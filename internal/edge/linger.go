package edge

import "time"

// A connection that is closed while its peer still sends is reset, and the peer
// may lose the answer that says why. So after an answer to a body that was not
// read, the rest of it is read and dropped, this much and this long at most.
const (
	lingerBytes = 16 << 20
	lingerTime  = time.Second
)
