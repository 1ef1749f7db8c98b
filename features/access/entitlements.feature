@replayed
Feature: Gifts, lists and failed payments

  Background:
    Given a server with a site "news" with clock "event" in "Europe/Berlin"
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow subscriber if reader.entitled("premium")
        allow gift       if request.gift
        allow again      if item in monthly
        allow metered    if monthly.left > 0 burns monthly
        deny  wall                           offers plan_picker
      }
      """

  Scenario: 21 A gift does not burn the receiver's meter, and is opened by ten readers
    When the clock moves to "2024-03-01 09:00"
    Given a gift link "present" with
      """
      {"item":"a1","giver":"account:anna"}
      """
    Then reading comes to
      | at               | reader | item | link    | verdict       | commit |
      | 2024-03-01 10:00 | r1     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:01 | r1     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:02 | r1     | a2   | present | allow metered | burned |
      | 2024-03-01 10:03 | r1     | a3   |         | deny wall     | denied |
      | 2024-03-01 10:04 | r2     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r3     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r4     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r5     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r6     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r7     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r8     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r9     | a1   | present | allow gift    | none   |
      | 2024-03-01 10:04 | r10    | a1   | present | allow gift    | none   |
      | 2024-03-01 10:05 | r11    | a1   | present | allow metered | burned |
      | 2024-03-01 10:06 | r1     | a1   | present | allow gift    | none   |

  Scenario: 22 Readers of a network are entitled, whatever its networks overlap
    Given the entitlement list "campus" with
      """
      {"entitlement":"premium","cidrs":["192.0.2.0/24","192.0.2.128/25","2001:db8::/32"]}
      """
    Then reading comes to
      | at               | reader | item | ip              | verdict          | commit |
      | 2024-03-01 10:00 | d1     | a1   | 192.0.2.200     | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a2   | 2001:db8:1::7   | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a3   | 2001:db9::7     | allow metered    | burned |
      | 2024-03-01 10:00 | d1     | a4   | 198.51.100.7    | deny wall        | denied |

  Scenario: 22 Seats are for the first that come
    Given the entitlement list "office" with
      """
      {"entitlement":"premium","cidrs":["192.0.2.0/24"],"seats":2}
      """
    Then reading comes to
      | at               | reader | item | ip        | verdict          |
      | 2024-03-01 10:00 | d1     | a1   | 192.0.2.1 | allow subscriber |
      | 2024-03-01 10:00 | d2     | a1   | 192.0.2.1 | allow subscriber |
      | 2024-03-01 10:00 | d3     | a1   | 192.0.2.1 | allow metered    |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.1 | allow subscriber |
      | 2024-03-01 10:01 | d3     | a2   | 192.0.2.1 | deny wall        |

  Scenario: 23 Seven days of grace after a failed payment
    Given the account "anna" with
      """
      {"entitlements":[{"name":"premium","until":null,"state":"past_due","past_due_since":"2024-03-01T10:00:00+01:00"}]}
      """
    Then reading comes to
      | at                            | reader       | item | verdict          | commit |
      | 2024-03-01 09:59              | account:anna | a1   | allow subscriber | none   |
      | 2024-03-01 10:00              | account:anna | a1   | allow subscriber | none   |
      | 2024-03-08T09:59:59.999+01:00 | account:anna | a1   | allow subscriber | none   |
      | 2024-03-08T10:00:00.000+01:00 | account:anna | a1   | allow metered    | burned |
      | 2024-03-08T10:00:00.000+01:00 | account:anna | a2   | deny wall        | denied |
