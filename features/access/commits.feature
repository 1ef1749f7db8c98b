@replayed
Feature: Commits
  A commit is decided where it is applied: retries and parallel tabs can
  neither burn twice nor read more than is left.

  Background:
    Given a server with a site "news" with clock "event" in "Europe/Berlin"
    And the program
      """
      meter monthly (limit: 5) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """

  Scenario: 15 A hundred parallel commits for distinct items with three left
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 1/5   |
      | 2024-03-01 10:01 | d1     | a2   | allow metered | 2/5   |
    When "d1" reads 100 distinct items at once
    Then exactly 3 are burned and 97 denied
    And asking comes to
      | reader | item | verdict   | meter |
      | d1     | b1   | deny wall | 5/5   |

  Scenario: 15 The same with kill -9 in the middle
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 1/5   |
      | 2024-03-01 10:01 | d1     | a2   | allow metered | 2/5   |
    When "d1" reads 100 distinct items at once and the server is killed in the middle
    Then what was answered as burned is burned, and of all the 100 items 3 can be read
    And asking comes to
      | reader | item | verdict   | meter |
      | d1     | b1   | deny wall | 5/5   |

  Scenario: 16 A commit that is sent again burns once and is answered as before
    Then asking comes to
      | at               | reader | item | verdict       | commit | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | -      | 0/5   |
    When the last decision is committed
    Then the commit comes to "burned" with the meter at 1 of 5
    When the last decision is committed
    Then the commit comes to "burned" with the meter at 1 of 5
    When the server starts again from its log alone
    And the last decision is committed
    Then the commit comes to "burned" with the meter at 1 of 5
    And reading comes to
      | reader | item | verdict     | commit | meter |
      | d1     | a1   | allow again | again  | 1/5   |
    And the last decision of "device:d1" is found by the end of its id

  Scenario: 16 Clients that did not wait for the answer, and try again
    Then asking comes to
      | at               | reader | item | verdict       | commit | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | -      | 0/5   |
    When the last decision is committed by 20 clients that hang up before the answer
    And the last decision is committed
    Then the commit comes to "burned" with the meter at 1 of 5
    And "device:d1" has 1 committed decision
    When "d1" asks for "a2" and hangs up before the answer, 20 times
    Then reading comes to
      | reader | item | meter |
      | d1     | a2   | 2/5   |
      | d1     | a3   | 3/5   |

  Scenario: 16 A question with an idempotency key is answered as the first time
    When the clock moves to "2024-03-01 10:00"
    And "d1" asks for "a1" with the key "k1" and hangs up before the answer, 20 times
    And "d1" asks for "a1" with the key "k1"
    Then the commit comes to "burned" with the meter at 1 of 5
    When "d1" asks for "a1" with the key "k1"
    Then the commit comes to "burned" with the meter at 1 of 5
    When "d1" asks for "a1" with the key "k2"
    Then the commit comes to "again" with the meter at 1 of 5
    And "device:d1" has 2 committed decisions

  Scenario: 16 The same commit from 20 tabs at once is answered to each
    Then asking comes to
      | at               | reader | item | verdict       | commit | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | -      | 0/5   |
    When the last decision is committed 20 times at once
    Then each commit comes to "burned" with the meter at 1 of 5
    And "device:d1" has 1 committed decision

  Scenario: 16 Twenty tabs that open the same item burn once
    When the clock moves to "2024-03-01 10:00"
    And "d1" reads "a1" 20 times at once
    Then exactly 1 is burned and 19 again
    And asking comes to
      | reader | item | verdict     | meter |
      | d1     | a1   | allow again | 1/5   |

  Scenario: A commit may come for ten minutes, and burns at the time of its decision
    Then asking comes to
      | at               | reader | item | verdict       |
      | 2024-03-01 10:00 | d1     | a1   | allow metered |
    When the clock moves to "2024-03-01 10:10:00"
    And the last decision is committed
    Then the commit comes to "burned" with the meter at 1 of 5
    And asking comes to
      | at               | reader | item | verdict       |
      | 2024-03-01 10:20 | d1     | a2   | allow metered |
    When the clock moves to "2024-03-01T10:30:00.001+01:00"
    And the last decision is committed
    Then the answer is 410
    And asking comes to
      | reader | item | verdict       | meter |
      | d1     | a1   | allow again   | 1/5   |
      | d1     | a2   | allow metered | 1/5   |

  Scenario: A commit that comes after the month burns in the month of its decision
    Then asking comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-31 23:55 | d1     | a1   | allow metered | 0/5   |
    When the clock moves to "2024-04-01 00:03"
    And the last decision is committed
    Then the commit comes to "burned" with the meter at 1 of 5
    And reading comes to
      | at               | reader | item | verdict       | commit | meter |
      | 2024-04-01 00:04 | d1     | a1   | allow metered | burned | 1/5   |
      | 2024-04-01 00:04 | d1     | a2   | allow metered | burned | 2/5   |

  Scenario: The meter filled up between the page and its commit
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 1/5   |
      | 2024-03-01 10:00 | d1     | a2   | allow metered | 2/5   |
      | 2024-03-01 10:00 | d1     | a3   | allow metered | 3/5   |
      | 2024-03-01 10:00 | d1     | a4   | allow metered | 4/5   |
    And asking comes to
      | at               | reader | item | verdict       |
      | 2024-03-01 10:01 | d1     | a5   | allow metered |
    When "d1" reads 1 distinct items at once
    And the last decision is committed
    Then the commit comes to "refused" with the meter at 5 of 5

  Scenario: Support empties a meter
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:00 | d1     | a1   | allow metered | 1/5   |
    When the meter "monthly" of "device:d1" is emptied
    Then reading comes to
      | at               | reader | item | verdict       | meter |
      | 2024-03-01 10:01 | d1     | a2   | allow metered | 1/5   |

  Scenario: 30 The answer carries everything, and caches keep it until the meter resets at most
    Then reading comes to
      | at                        | reader | item | verdict       | commit | meter | resets at        | as        |
      | 2024-03-31T23:59:55+02:00 | d1     | a1   | allow metered | burned | 1/5   | 2024-04-01 00:00 | device:d1 |
      | 2024-03-31T23:59:58+02:00 | d1     | a1   | allow again   | again  | 1/5   | 2024-04-01 00:00 | device:d1 |

  Scenario: 30 What an answer says
    Given the program
      """
      segment fan = events |> where type == "page_view" |> last 1d |> any
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow  free    if item.tier == "free"
        charge crawler if item.tier == "data"  price 0.002 EUR
        allow  again   if item in monthly
        allow  metered if monthly.left > 0     burns monthly
        deny   wall                            offers plan_picker
      }
      """
    And the catalogue
      | id | tier |
      | f1 | free |
      | x1 | data |
    When these events happen
      | at               | reader | type      | item |
      | 2024-03-31 23:59 | d1     | page_view | a0   |
    Then asking comes to
      | at                        | reader | item | verdict | commit | meter |
      | 2024-03-31T23:59:30+02:00 | d1     | a1   | allow metered | -      | 0/1   |
    And the answer says
      """
      {"decision":"allow","clause":"metered","access":"story","program_version":2,"reader":"device:d1",
       "meter":{"name":"monthly","used":0,"limit":1,"left":1},"commit":null,"ttl_s":0,"segments":["fan"],"fallback":false}
      """
    Then reading comes to
      | at                        | reader | item |
      | 2024-03-31T23:59:30+02:00 | d1     | a1   |
    And the answer says
      """
      {"decision":"allow","clause":"metered","access":"story","program_version":2,"reader":"device:d1",
       "meter":{"name":"monthly","used":1,"limit":1,"left":0,"resets_at":"2024-04-01T00:00:00+02:00"},"commit":"burned","ttl_s":30,"segments":["fan"],"fallback":false}
      """
    Then reading comes to
      | at                        | reader | item |
      | 2024-03-31T23:59:31+02:00 | d1     | a2   |
    And the answer says
      """
      {"decision":"deny","clause":"wall","offer":"plan_picker","access":"story","program_version":2,"reader":"device:d1",
       "meter":{"name":"monthly","used":1,"limit":1,"left":0,"resets_at":"2024-04-01T00:00:00+02:00"},"commit":"denied","ttl_s":0,"segments":["fan"],"fallback":false}
      """
    Then reading comes to
      | at                        | reader | item |
      | 2024-03-31T23:59:32+02:00 | d1     | x1   |
    And the answer says
      """
      {"decision":"charge","clause":"crawler","price":"0.002 EUR","access":"story","program_version":2,"reader":"device:d1",
       "commit":"denied","ttl_s":0,"segments":["fan"],"fallback":false}
      """
    Then reading comes to
      | at                        | reader | item |
      | 2024-03-31T23:59:33+02:00 | d1     | f1   |
    And the answer says
      """
      {"decision":"allow","clause":"free","access":"story","program_version":2,"reader":"device:d1",
       "commit":"none","ttl_s":60,"segments":["fan"],"fallback":false}
      """
    Then reading comes to
      | at                        | reader | item | verdict     | ttl_s |
      | 2024-03-31T23:59:59+02:00 | d1     | a1   | allow again | 1     |
      | 2024-03-31T23:59:59.500+02:00 | d1 | a1   | allow again | 0     |
