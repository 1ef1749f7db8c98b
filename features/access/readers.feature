@replayed
Feature: Readers, devices and accounts at a meter

  Background:
    Given a server with a site "news" with clock "event" in "Europe/Berlin"

  Scenario: 9 Limits differ for anonymous and registered readers
    Given the program
      """
      meter monthly (limit: if reader.registered then 2 else 1) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader     | item | verdict       | meter |
      | 2024-03-01 10:00 | d1         | a1   | allow metered | 1/1   |
      | 2024-03-01 10:01 | d1         | a2   | deny wall     | 1/1   |
      | 2024-03-01 10:02 | d1 as anna | a2   | allow metered | 2/2   |
      | 2024-03-01 10:03 | d1 as anna | a3   | deny wall     | 2/2   |

  Scenario: 9 A registered limit below the anonymous one is a warning
    Given the program
      """
      meter monthly (limit: if reader.registered then 3 else 5) = burns |> per month |> distinct item
      access story {
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then the program was stored with the warning "the limit of registered readers is lower"
    And reading comes to
      | at               | reader     | item | verdict       | meter |
      | 2024-03-01 10:00 | d1 as anna | a1   | allow metered | 1/3   |

  Scenario Outline: 10 Signing in merges the device's reads by the meter's policy
    Given the program
      """
      meter monthly (limit: 4, merge: <merge>) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader       | item | verdict       | meter |
      | 2024-03-01 10:00 | account:anna | a1   | allow metered | 1/4   |
      | 2024-03-01 10:01 | account:anna | a2   | allow metered | 2/4   |
      | 2024-03-01 10:02 | d1           | a2   | allow metered | 1/4   |
      | 2024-03-01 10:03 | d1           | a3   | allow metered | 2/4   |
      | 2024-03-01 10:04 | d1           | a4   | allow metered | 3/4   |
      | 2024-03-01 10:05 | d1 as anna   | a4   | <a4>          | <m4>  |
      | 2024-03-01 10:06 | d1 as anna   | a1   | <a1>          | <m1>  |

    Examples:
      | merge   | a4            | m4  | a1            | m1  |
      | union   | allow again   | 4/4 | allow again   | 4/4 |
      | max     | allow again   | 3/4 | allow metered | 4/4 |
      | account | allow metered | 3/4 | allow again   | 3/4 |

  Scenario: 10 A union over the limit never closes the item being read
    Given the program
      """
      meter monthly (limit: 2) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader       | item | verdict       | meter |
      | 2024-03-01 10:00 | account:anna | a1   | allow metered | 1/2   |
      | 2024-03-01 10:01 | account:anna | a2   | allow metered | 2/2   |
      | 2024-03-01 10:02 | d1           | a3   | allow metered | 1/2   |
      | 2024-03-01 10:03 | d1 as anna   | a3   | allow again   | 3/2   |
      | 2024-03-01 10:04 | d1 as anna   | a4   | deny wall     | 3/2   |

  Scenario: 10 Of two reads of an item the earlier one is kept
    Given the program
      """
      meter weekly (limit: 2) = burns |> last 7d |> distinct item
      access story {
        allow again   if item in weekly
        allow metered if weekly.left > 0 burns weekly
        deny  wall
      }
      """
    Then reading comes to
      | at                            | reader        | item | verdict       | meter | resets at        |
      | 2024-03-01 10:00              | d1            | a1   | allow metered | 1/2   | 2024-03-08 10:00 |
      | 2024-03-02 10:00              | account:berta | a1   | allow metered | 1/2   | 2024-03-09 10:00 |
      | 2024-03-03 10:00              | account:anna  | a1   | allow metered | 1/2   | 2024-03-10 10:00 |
      | 2024-03-03 10:00              | d2            | a1   | allow metered | 1/2   | 2024-03-10 10:00 |
      | 2024-03-04 10:00              | d1 as anna    | a1   | allow again   | 1/2   | 2024-03-08 10:00 |
      | 2024-03-04 10:00              | d2 as berta   | a1   | allow again   | 1/2   | 2024-03-09 10:00 |
      | 2024-03-08T09:59:59.999+01:00 | account:anna  | a1   | allow again   | 1/2   | 2024-03-08 10:00 |
      | 2024-03-08 10:00              | account:anna  | a1   | allow metered | 1/2   | 2024-03-15 10:00 |
      | 2024-03-09T09:59:59.999+01:00 | account:berta | a1   | allow again   | 1/2   | 2024-03-09 10:00 |
      | 2024-03-09 10:00              | account:berta | a1   | allow metered | 1/2   | 2024-03-16 10:00 |

  Scenario: 11 A shared tablet with two accounts over two logins each
    Given the program
      """
      meter monthly (limit: 9) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:00 | tablet | a1   | allow metered | 1/9   | device:tablet |
    When the device "tablet" signs in as "anna"
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:01 | tablet | a2   | allow metered | 2/9   | account:anna  |
    When the device "tablet" signs out
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:02 | tablet | a2   | allow metered | 2/9   | device:tablet |
    When the device "tablet" signs in as "berta"
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:03 | tablet | a3   | allow metered | 3/9   | account:berta |
      | 2024-03-01 10:04 | tablet | a1   | allow again   | 3/9   | account:berta |
    When the device "tablet" signs out
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:05 | tablet | a3   | allow metered | 3/9   | device:tablet |
      | 2024-03-01 10:06 | tablet | a4   | allow metered | 4/9   | device:tablet |
    When the device "tablet" signs in as "anna"
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:07 | tablet | a4   | allow again   | 4/9   | account:anna  |
      | 2024-03-01 10:08 | tablet | a5   | allow metered | 5/9   | account:anna  |
    When the device "tablet" signs out
    And the device "tablet" signs in as "berta"
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:09 | tablet | a4   | allow again   | 4/9   | account:berta |
      | 2024-03-01 10:10 | tablet | a5   | allow metered | 5/9   | account:berta |
    When the device "tablet" signs out
    Then reading comes to
      | at               | reader | item | verdict       | meter | as            |
      | 2024-03-01 10:11 | tablet | a5   | allow metered | 5/9   | device:tablet |

  Scenario: Signing in and asking in the same millisecond does not open the wall
    Given the program
      """
      meter monthly (limit: 5) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader     | item | verdict       | meter | as             |
      | 2024-03-01 10:00 | d1         | a1   | allow metered | 1/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a2   | allow metered | 2/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a3   | allow metered | 3/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a4   | allow metered | 4/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a5   | allow metered | 5/5   | device:d1      |
      | 2024-03-01 10:00 | d1 as anna | a6   | deny wall     | 5/5   | account:anna   |
      | 2024-03-01 10:00 | d1 as anna | a5   | allow again   | 5/5   | account:anna   |

  Scenario: A login and a question in the same millisecond do not open it either
    Given the program
      """
      meter monthly (limit: 5) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader     | item | verdict       | meter | as             |
      | 2024-03-01 10:00 | d1         | a1   | allow metered | 1/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a2   | allow metered | 2/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a3   | allow metered | 3/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a4   | allow metered | 4/5   | device:d1      |
      | 2024-03-01 10:00 | d1         | a5   | allow metered | 5/5   | device:d1      |
    When the device "d1" signs in as "anna"
    Then reading comes to
      | at               | reader     | item | verdict       | meter | as             |
      | 2024-03-01 10:00 | d1         | a6   | deny wall     | 5/5   | account:anna   |
      | 2024-03-01 10:00 | d1         | a5   | allow again   | 5/5   | account:anna   |

  Scenario: 29 An arm follows the device's reader through signing in
    Given the program
      """
      access story {
        allow left  if arm("wall", 2) == 0
        deny  right
      }
      """
    Then the arms of 20 devices are the same after each signs in

  Scenario: 26 A limit by segment that falls keeps the open item open
    Given the program
      """
      segment keen = events |> where type == "page_view" |> last 1d |> any
      meter monthly (limit: if keen then 2 else 1) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    When these events happen
      | at               | reader | type      | item |
      | 2024-03-01 10:00 | d1     | page_view | a0   |
    Then reading comes to
      | at               | reader | item | verdict       | meter | segments |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 1/2   | keen     |
      | 2024-03-01 10:01 | d1     | a2   | allow metered | 2/2   | keen     |
      | 2024-03-02 10:01 | d1     | a2   | allow again   | 2/1   | -        |
      | 2024-03-02 10:02 | d1     | a3   | deny wall     | 2/1   | -        |

  Scenario: 26 A sticky limit is that of the first read
    Given the program
      """
      segment keen = events |> where type == "page_view" |> last 1d |> any
      meter monthly (limit: if keen then 2 else 1, sticky: true) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    When these events happen
      | at               | reader | type      | item |
      | 2024-03-01 10:00 | d1     | page_view | a0   |
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 1/2   |
      | 2024-03-02 10:01 | d1     | a2   | allow metered | 2/2   |
      | 2024-03-02 10:02 | d1     | a3   | deny wall     | 2/2   |
      | 2024-04-01 00:00 | d1     | a3   | allow metered | 1/1   |

  Scenario: 26 A limit is fixed by the first read, not before, and until the program says another
    Given the program
      """
      segment keen = events |> where type == "page_view" |> last 1d |> any
      meter monthly (limit: if keen then 3 else 1, sticky: true) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    When these events happen
      | at               | reader | type      | item |
      | 2024-03-01 10:00 | d1     | page_view | a0   |
      | 2024-03-01 10:00 | d2     | page_view | a0   |
    Then asking comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 0/3   |
      | 2024-03-02 10:01 | d1     | a1   | allow metered | 0/1   |
    When these events happen
      | at               | reader | type      | item |
      | 2024-03-02 10:02 | d1     | page_view | a0   |
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-02 10:02 | d1     | a1   | allow metered | 1/3   |
      | 2024-03-02 10:02 | d2     | a1   | allow metered | 1/1   |
      | 2024-03-03 10:03 | d1     | a2   | allow metered | 2/3   |
    Given the program
      """
      segment keen = events |> where type == "page_view" |> last 1d |> any
      meter monthly (limit: if keen then 3 else 1, sticky: true) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  stop
      }
      """
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-03 10:04 | d1     | a2   | allow again   | 2/3   |
      | 2024-03-03 10:04 | d2     | a2   | deny stop     | 1/1   |
    Given the program
      """
      segment keen = events |> where type == "page_view" |> last 1d |> any
      meter monthly (limit: if keen then 4 else 2, sticky: true) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  stop
      }
      """
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-03 10:05 | d1     | a3   | deny stop     | 2/2   |
      | 2024-03-03 10:05 | d2     | a2   | allow metered | 2/2   |

  Scenario: 27 A program edited in mid-window keeps the set and applies the new limit
    Given the program
      """
      meter monthly (limit: 3) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 1/3   |
      | 2024-03-01 10:01 | d1     | a2   | allow metered | 2/3   |
      | 2024-03-01 10:02 | d2     | a1   | allow metered | 1/3   |
    When these events happen
      | at               | reader | type      | item |
      | 2024-03-01 10:03 | d1     | page_view | a1   |
      | 2024-03-01 10:03 | d1     | page_view | a2   |
      | 2024-03-01 10:03 | d2     | page_view | a1   |
    Then a limit of 1 instead of 3 would newly stop 1 reader
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
      | at               | reader | item | verdict     | meter |
      | 2024-03-01 10:04 | d1     | a2   | allow again | 2/1   |
      | 2024-03-01 10:05 | d1     | a3   | deny wall   | 2/1   |
      | 2024-03-01 10:06 | d2     | a2   | deny wall   | 1/1   |
