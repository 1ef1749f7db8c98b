@replayed
Feature: What a meter counts
  A meter is a set of items, each with the time of its first read. Its count is
  the size of the set in the window that now is in. Every scenario is asked
  again after a replay of the log.

  Background:
    Given a server with a site "news" with clock "event" in "Europe/Berlin"

  Scenario: 1 Reading again is free, also on a second device after signing in
    Given the program
      """
      meter monthly (limit: 2) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    When the device "phone" signs in as "anna"
    And the device "laptop" signs in as "anna"
    Then reading comes to
      | at               | reader | item | verdict       | commit | meter | as           | offer       |
      | 2024-03-01 10:00 | phone  | a1   | allow metered | burned | 1/2   | account:anna |             |
      | 2024-03-01 10:00 | phone  | a1   | allow again   | again  | 1/2   | account:anna |             |
      | 2024-03-01 10:01 | phone  | a2   | allow metered | burned | 2/2   | account:anna |             |
      | 2024-03-01 10:02 | phone  | a1   | allow again   | again  | 2/2   | account:anna |             |
      | 2024-03-01 10:03 | laptop | a2   | allow again   | again  | 2/2   | account:anna |             |
      | 2024-03-01 10:04 | laptop | a3   | deny wall     | denied | 2/2   | account:anna | plan_picker |

  Scenario: 2 The first read leaves a rolling window to the millisecond
    Given the program
      """
      meter weekly (limit: 1) = burns |> last 7d |> distinct item
      access story {
        allow again   if item in weekly
        allow metered if weekly.left > 0 burns weekly
        deny  wall
      }
      """
    Then reading comes to
      | at                            | reader | item | verdict       | commit | meter |
      | 2024-03-01T10:00:00.000+01:00 | d1     | a1   | allow metered | burned | 1/1   |
      | 2024-03-01T10:00:00.000+01:00 | d2     | a1   | allow metered | burned | 1/1   |
      | 2024-03-08T09:59:59.999+01:00 | d1     | a1   | allow again   | again  | 1/1   |
      | 2024-03-08T09:59:59.999+01:00 | d1     | a2   | deny wall     | denied | 1/1   |
      | 2024-03-08T10:00:00.000+01:00 | d1     | a1   | allow metered | burned | 1/1   |
      | 2024-03-08T10:00:00.000+01:00 | d1     | a1   | allow again   | again  | 1/1   |
      | 2024-03-08T10:00:00.001+01:00 | d2     | a1   | allow metered | burned | 1/1   |
      | 2024-03-08T10:00:00.001+01:00 | d2     | a2   | deny wall     | denied | 1/1   |

  Scenario: 2 Reading again does not prolong the window
    Given the program
      """
      meter weekly (limit: 1) = burns |> last 7d |> distinct item
      access story {
        allow again   if item in weekly
        allow metered if weekly.left > 0 burns weekly
        deny  wall
      }
      """
    Then reading comes to
      | at                            | reader | item | verdict       | commit | meter | resets at                 |
      | 2024-03-26T10:00:00.000+01:00 | d1     | a1   | allow metered | burned | 1/1   | 2024-04-02T11:00:00+02:00 |
      | 2024-03-31T10:00:00.000+02:00 | d1     | a1   | allow again   | again  | 1/1   | 2024-04-02T11:00:00+02:00 |
      | 2024-04-02T10:59:59.999+02:00 | d1     | a2   | deny wall     | denied | 1/1   | 2024-04-02T11:00:00+02:00 |
      | 2024-04-02T11:00:00.000+02:00 | d1     | a2   | allow metered | burned | 1/1   | 2024-04-09T11:00:00+02:00 |

  Scenario Outline: 3 Calendar windows begin where the site's calendar says
    Given the program
      """
      meter m (limit: 1) = burns |> <window> |> distinct item
      access story {
        allow again   if item in m
        allow metered if m.left > 0 burns m
        deny  wall
      }
      """
    Then reading comes to
      | at       | reader | item | verdict       | meter | resets at |
      | <first>  | d1     | a1   | allow metered | 1/1   | <next>    |
      | <last>   | d1     | a2   | deny wall     | 1/1   | <next>    |
      | <next>   | d1     | a2   | allow metered | 1/1   |           |

    Examples:
      | about                  | window         | first                     | last                          | next                      |
      | leap day               | per day        | 2024-02-29 00:00          | 2024-02-29T23:59:59.999+01:00 | 2024-03-01 00:00          |
      | end of a leap February | per month      | 2024-02-01 00:00          | 2024-02-29T23:59:59.999+01:00 | 2024-03-01 00:00          |
      | the 31st               | per month      | 2024-01-01 00:00          | 2024-01-31T23:59:59.999+01:00 | 2024-02-01 00:00          |
      | the 30th               | per month      | 2024-04-01 00:00          | 2024-04-30T23:59:59.999+02:00 | 2024-05-01 00:00          |
      | end of a February      | per month      | 2023-02-01 00:00          | 2023-02-28T23:59:59.999+01:00 | 2023-03-01 00:00          |
      | a month in spring      | per month      | 2024-03-01 00:00          | 2024-03-31T23:59:59.999+02:00 | 2024-04-01T00:00:00+02:00 |
      | a month in autumn      | per month      | 2024-10-01T00:00:00+02:00 | 2024-10-31T23:59:59.999+01:00 | 2024-11-01T00:00:00+01:00 |
      | 23 hours in spring     | per day        | 2024-03-31 00:00          | 2024-03-31T23:59:59.999+02:00 | 2024-04-01 00:00          |
      | 25 hours in autumn     | per day        | 2024-10-27T00:00:00+02:00 | 2024-10-27T23:59:59.999+01:00 | 2024-10-28T00:00:00+01:00 |
      | weeks begin on Monday  | per week       | 2024-03-04 00:00          | 2024-03-10T23:59:59.999+01:00 | 2024-03-11 00:00          |
      | weeks in spring        | per week       | 2024-03-25 00:00          | 2024-03-31T23:59:59.999+02:00 | 2024-04-01 00:00          |
      | weeks in autumn        | per week       | 2024-10-21T00:00:00+02:00 | 2024-10-27T23:59:59.999+01:00 | 2024-10-28T00:00:00+01:00 |
      | a rolling day, spring  | last 1d        | 2024-03-30T12:00:00+01:00 | 2024-03-31T12:59:59.999+02:00 | 2024-03-31T13:00:00+02:00 |
      | a rolling day, autumn  | last 1d        | 2024-10-26T12:00:00+02:00 | 2024-10-27T10:59:59.999+01:00 | 2024-10-27T11:00:00+01:00 |
      | from the first read    | from_first 14d | 2024-03-20 08:00          | 2024-04-03T08:59:59.999+02:00 | 2024-04-03T09:00:00+02:00 |
      | the same in autumn     | from_first 14d | 2024-10-20T08:00:00+02:00 | 2024-11-03T06:59:59.999+01:00 | 2024-11-03T07:00:00+01:00 |

  Scenario: 3 On the 31st the read of the 1st counts, though the site keeps events for 30 days
    Given the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | item | verdict       | commit | meter | resets at        |
      | 2024-03-01 00:00 | d1     | a1   | allow metered | burned | 1/1   | 2024-04-01 00:00 |
      | 2024-03-31 23:59 | d1     | a1   | allow again   | again  | 1/1   | 2024-04-01 00:00 |
      | 2024-03-31 23:59 | d1     | a2   | deny wall     | denied | 1/1   | 2024-04-01 00:00 |

  Scenario: 3 Burns outlive the events of the window, also in a replay
    Given the program
      """
      meter season (limit: 1) = burns |> last 60d |> distinct item
      access story {
        allow again   if item in season
        allow metered if season.left > 0 burns season
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-01-01 10:00 | d1     | a1   | allow metered | 1/1   |
    When the clock moves to "2024-02-20 10:00"
    And the server starts again from its log alone
    Then reading comes to
      | at                        | reader | item | verdict       | meter | resets at        |
      | 2024-02-20 10:01          | d1     | a1   | allow again   | 1/1   | 2024-03-01 10:00 |
      | 2024-02-20 10:02          | d1     | a2   | deny wall     | 1/1   | 2024-03-01 10:00 |
      | 2024-03-01T10:00:00+01:00 | d1     | a2   | allow metered | 1/1   |                  |

  Scenario: 4 Two sites in two zones on one server that is in a third
    Given the server is in the time zone "Pacific/Auckland"
    And a site "jornal" with clock "event" in "America/Sao_Paulo" on the same server
    And the program
      """
      meter daily (limit: 1) = burns |> per day |> distinct item
      access story {
        allow again   if item in daily
        allow metered if daily.left > 0 burns daily
        deny  wall
      }
      """
    Then reading comes to
      | site   | at                   | reader | item | verdict       | meter | resets at                 |
      | news   | 2017-10-14T20:00:00Z | d1     | a1   | allow metered | 1/1   | 2017-10-15T00:00:00+02:00 |
      | jornal | 2017-10-14T20:00:00Z | d1     | a1   | allow metered | 1/1   | 2017-10-15T01:00:00-02:00 |
      | news   | 2017-10-14T22:00:00Z | d1     | a2   | allow metered | 1/1   | 2017-10-16T00:00:00+02:00 |
      | jornal | 2017-10-14T22:00:00Z | d1     | a2   | deny wall     | 1/1   | 2017-10-15T01:00:00-02:00 |
      | jornal | 2017-10-15T02:59:59Z | d1     | a2   | deny wall     | 1/1   | 2017-10-15T01:00:00-02:00 |
      | jornal | 2017-10-15T03:00:00Z | d1     | a2   | allow metered | 1/1   | 2017-10-16T00:00:00-02:00 |

  Scenario: 4 A week begins on the site's first day
    Given the settings
      """
      {"week_start":"sunday"}
      """
    And the program
      """
      meter weekly (limit: 1) = burns |> per week |> distinct item
      access story {
        allow again   if item in weekly
        allow metered if weekly.left > 0 burns weekly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | item | verdict       | meter | resets at        |
      | 2024-03-09 23:59 | d1     | a1   | allow metered | 1/1   | 2024-03-10 00:00 |
      | 2024-03-10 00:00 | d1     | a2   | allow metered | 1/1   | 2024-03-17 00:00 |

  Scenario: 12 Gates that share a meter share its count
    Given the program
      """
      meter monthly (limit: 2) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      access video {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | access | reader | item | verdict       | commit | meter |
      | 2024-03-01 10:00 | story  | d1     | a1   | allow metered | burned | 1/2   |
      | 2024-03-01 10:01 | video  | d1     | v1   | allow metered | burned | 2/2   |
      | 2024-03-01 10:02 | video  | d1     | a1   | allow again   | again  | 2/2   |
      | 2024-03-01 10:03 | video  | d1     | v2   | deny wall     | denied | 2/2   |
      | 2024-03-01 10:04 | story  | d1     | a2   | deny wall     | denied | 2/2   |

  Scenario: 13 A registration wall and a paywall have their own meters
    Given the program
      """
      meter taste (limit: 1) = burns |> per month |> distinct item
      meter member (limit: 1) = burns |> per month |> distinct item
      access story {
        allow known    if item in taste or item in member
        allow metered  if reader.registered and member.left > 0      burns member
        allow tasted   if not reader.registered and taste.left > 0   burns taste
        deny  register if not reader.registered                      offers registration_wall
        deny  pay                                                    offers plan_picker
      }
      """
    Then reading comes to
      | at               | reader     | item | verdict       | commit | meter      | offer             |
      | 2024-03-01 10:00 | d1         | a1   | allow tasted  | burned | taste 1/1  |                   |
      | 2024-03-01 10:01 | d1         | a2   | deny register | denied | taste 1/1  | registration_wall |
      | 2024-03-01 10:02 | d1 as anna | a2   | allow metered | burned | member 1/1 |                   |
      | 2024-03-01 10:03 | d1 as anna | a3   | deny pay      | denied |            | plan_picker       |

  Scenario: 13 A registration wall without a meter
    Given the program
      """
      access story {
        allow member   if reader.registered
        deny  register                       offers registration_wall
      }
      """
    Then reading comes to
      | at               | reader     | item | verdict       | commit | meter | offer             |
      | 2024-03-01 10:00 | d1         | a1   | deny register | denied | -     | registration_wall |
      | 2024-03-01 10:01 | d1 as anna | a1   | allow member  | none   | -     |                   |
