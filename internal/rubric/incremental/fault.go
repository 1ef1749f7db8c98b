package incremental

// fault is a mistake that the tests make the evaluator commit, to see that they
// would find it. Nothing else sets one.
type fault uint8

const (
	noFault fault = iota
	faultWindowEdge
	faultSiteWindow
	faultPeriodZone
	faultFutureRows
	faultFutureTimer
	faultUnsorted
	faultThenSameInstant
	faultUnlessEdge
	faultWaitTimer
	faultBorderTimer
	faultKeyless
	faultThresholdTimer
	faultLookup
	faultItemBits
	faultSegmentOfSegment
	faultEntitlementTimer
	faultJoinedRows
	faultAppearance
	faultTime
	faultRows
	faultRare
	faultSift
	numFaults
)
