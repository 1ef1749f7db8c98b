// Package hugepage has memory lie in huge pages, of 2 MB instead of 4 KB.
//
// Go's heap grows by 4 MB at a time and leaves the size of pages to the system,
// which on most distributions gives huge ones only to who asks
// (/sys/kernel/mm/transparent_hugepage/enabled says madvise). A page that is
// touched for the first time costs a fault, and every address that is not in the
// processor's table of translations a walk: with huge pages there are a fraction
// of both. On virtual machines that keep page tables in software, a fault takes
// longer than to parse an event.
//
// A huge page that is touched for the first time holds up whoever touches it: what is
// reserved can be touched before the heap grows to it.
//
// Where the system gives huge pages to all, or to none, and outside Linux, the
// functions do nothing.
package hugepage

// Size is the size in bytes of a huge page of x86 and, with ordinary ones of 4 KB, of
// ARM. Where they are larger none is touched ahead.
const Size = 2 << 20
