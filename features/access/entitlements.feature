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

  Scenario: 21 A giver's gifts are opened ten times a month, whatever their number
    When the clock moves to "2024-03-01 09:00"
    Given a gift link "first" with
      """
      {"item":"a1","giver":"account:anna","uses":6,"expires_in":"60d"}
      """
    And a gift link "second" with
      """
      {"item":"a2","giver":"account:anna","uses":6,"expires_in":"60d"}
      """
    And a gift link "hers" with
      """
      {"item":"a1","giver":"account:berta"}
      """
    When the link "first" is opened by 6 readers
    And the link "second" is opened by 4 readers
    Then reading comes to
      | at               | reader | item | link   | verdict       | commit |
      | 2024-03-01 10:00 | r1     | a1   | first  | allow metered | burned |
      | 2024-03-01 10:00 | r2     | a2   | second | allow metered | burned |
      | 2024-03-01 10:00 | r3     | a1   | hers   | allow gift    | none   |
    And gifts of "account:anna" can be opened 0 times this month, those of "account:berta" 9 times
    Then reading comes to
      | at                        | reader | item | link   | verdict       | commit |
      | 2024-03-31T23:59:59+02:00 | r4     | a2   | second | allow metered | burned |
      | 2024-04-01T00:00:00+02:00 | r5     | a2   | second | allow gift    | none   |
      | 2024-04-01T00:00:00+02:00 | r5     | a2   | second | allow gift    | none   |
      | 2024-04-01T00:00:00+02:00 | r6     | a2   | second | allow gift    | none   |
      | 2024-04-01T00:00:00+02:00 | r7     | a2   | second | allow metered | burned |
    And gifts of "account:anna" can be opened 8 times this month, those of "account:berta" 10 times

  Scenario: 21 A gift opens its item until it expires, and what was forged opens nothing
    When the clock moves to "2024-03-01 10:00"
    Given a gift link "usual" with
      """
      {"item":"a1","giver":"account:anna"}
      """
    And a gift link "short" with
      """
      {"item":"a1","giver":"account:anna","expires_in":"2h"}
      """
    And a link "forged" that is "usual" with another item, "a9"
    And a link "prolonged" that is "short" with another end
    Then reading comes to
      | at                            | reader | item | link      | verdict       | commit |
      | 2024-03-01 10:00              | r1     | a9   | forged    | allow metered | burned |
      | 2024-03-01 10:00              | r2     | a9   | usual     | allow metered | burned |
      | 2024-03-01 10:00              | r3     | a1   | prolonged | allow metered | burned |
      | 2024-03-01 10:00              | r4     | a1   | usual     | allow gift    | none   |
      | 2024-03-01T11:59:59.999+01:00 | r5     | a1   | short     | allow gift    | none   |
      | 2024-03-01T12:00:00.000+01:00 | r5     | a1   | short     | allow metered | burned |
      | 2024-03-15T09:59:59.999+01:00 | r4     | a1   | usual     | allow gift    | none   |
      | 2024-03-15T10:00:00.000+01:00 | r4     | a1   | usual     | allow metered | burned |

  Scenario: 22 Readers of a network are entitled, IPv4 or IPv6
    Given the entitlement list "campus" with
      """
      {"entitlement":"premium","cidrs":["192.0.2.0/24","198.51.100.8","2001:db8::/32"]}
      """
    Then reading comes to
      | at               | reader | item | ip                 | verdict          | commit |
      | 2024-03-01 10:00 | d1     | a1   | 192.0.2.0          | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a1   | 192.0.2.255        | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a1   | ::ffff:192.0.2.200 | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a1   | 198.51.100.8       | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a2   | 2001:db8:1::7      | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a2   | 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff | allow subscriber | none |
      | 2024-03-01 10:00 | d1     | a3   | 2001:db9::         | allow metered    | burned |
      | 2024-03-01 10:00 | d1     | a4   | 198.51.100.7       | deny wall        | denied |
      | 2024-03-01 10:00 | d1     | a4   | 192.0.3.0          | deny wall        | denied |

  Scenario: 22 Networks overlap, within a list and between lists
    Given the entitlement list "campus" with
      """
      {"entitlement":"premium","cidrs":["192.0.2.0/24","192.0.2.128/25","192.0.2.200"],"seats":1}
      """
    And the entitlement list "library" with
      """
      {"entitlement":"premium","cidrs":["192.0.2.192/26"]}
      """
    And the entitlement list "archive" with
      """
      {"entitlement":"archive","cidrs":["192.0.0.0/16"]}
      """
    Then reading comes to
      | at               | reader | item | ip          | verdict          | commit |
      | 2024-03-01 10:00 | d1     | a1   | 192.0.2.200 | allow subscriber | none   |
      | 2024-03-01 10:00 | d2     | a1   | 192.0.2.200 | allow subscriber | none   |
      | 2024-03-01 10:00 | d2     | a1   | 192.0.2.129 | allow subscriber | none   |
      | 2024-03-01 10:00 | d1     | a1   | 192.0.2.129 | allow metered    | burned |
      | 2024-03-01 10:00 | d1     | a2   | 192.0.2.129 | deny wall        | denied |
      | 2024-03-01 10:00 | d3     | a1   | 192.0.9.9   | allow metered    | burned |

  Scenario: 22 The address is the one that the last trusted proxy names
    Given the entitlement list "campus" with
      """
      {"entitlement":"premium","cidrs":["192.0.2.0/24","2001:db8::/32"]}
      """
    And the device "d1" has a token
    Then reading in the page comes to
      | at               | reader | item | forwarded              | verdict       | commit |
      | 2024-03-01 10:00 | d1     | a1   | 192.0.2.7              | allow metered | burned |
      | 2024-03-01 10:00 | d1     | a2   | 192.0.2.7              | deny wall     | denied |
    Given the settings
      """
      {"trusted_proxies":["127.0.0.1","10.0.0.0/8","2001:db8:ffff::/48"]}
      """
    Then reading in the page comes to
      | at               | reader | item | forwarded                           | verdict          | commit |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.7                           | allow subscriber | none   |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.7:4711                      | allow subscriber | none   |
      | 2024-03-01 10:01 | d1     | a2   | 2001:db8::7                         | allow subscriber | none   |
      | 2024-03-01 10:01 | d1     | a2   | [2001:db8::7]:4711                  | allow subscriber | none   |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.7, 10.1.2.3                 | allow subscriber | none   |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.7, 2001:db8:ffff::1         | allow subscriber | none   |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.7, 198.51.100.7             | deny wall        | denied |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.7, 198.51.100.7, 10.1.2.3   | deny wall        | denied |
      | 2024-03-01 10:01 | d1     | a2   | 192.0.2.7, unknown                  | deny wall        | denied |
      | 2024-03-01 10:01 | d1     | a2   |                                     | deny wall        | denied |

  Scenario: 22 The domain of a proven e-mail address, and those below it
    Given the settings
      """
      {"identity":{"header":"X-Account-Token","secret":"a secret of thirty-two characters"}}
      """
    And the entitlement list "university" with
      """
      {"entitlement":"premium","domains":["Uni.example"]}
      """
    And the device "d1" has a token
    Then reading in the page comes to
      | at               | reader | item | account token                               | verdict          | commit | as            |
      | 2024-03-01 10:00 | d1     | a1   | anna, x@uni.example                         | allow subscriber | none   | account:anna  |
      | 2024-03-01 10:00 | d1     | a1   | anna, X@Library.UNI.example                 | allow subscriber | none   | account:anna  |
      | 2024-03-01 10:00 | d1     | a1   | anna, x@uni.example, verified               | allow subscriber | none   | account:anna  |
      | 2024-03-01 10:00 | d1     | a1   | berta, x@other-uni.example                  | allow metered    | burned | account:berta |
      | 2024-03-01 10:00 | d1     | a2   | berta, x@uni.example.org                    | deny wall        | denied | account:berta |
      | 2024-03-01 10:00 | d1     | a2   | berta, x@uni.example, not verified          | deny wall        | denied | account:berta |
      | 2024-03-01 10:00 | d1     | a2   | berta, x@uni.example, expired               | allow metered    | burned | device:d1     |
      | 2024-03-01 10:00 | d1     | a3   | berta, x@uni.example, signed by another     | deny wall        | denied | device:d1     |

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

  Scenario: 23 Billing whose clock is ahead, and billing that is late
    When the clock moves to "2024-03-01 10:00"
    Given the account "anna" with
      """
      {"entitlements":[{"name":"premium","until":null,"state":"past_due","past_due_since":"2024-03-01T10:05:00+01:00"}]}
      """
    And the account "berta" with
      """
      {"entitlements":[{"name":"premium","until":null,"state":"past_due","past_due_since":"2024-02-27T10:00:00+01:00"}]}
      """
    And the account "clara" with
      """
      {"entitlements":[{"name":"premium","until":null,"state":"past_due","past_due_since":"2024-02-20T10:00:00+01:00"}]}
      """
    Then reading comes to
      | at                            | reader        | item | verdict          | commit |
      | 2024-03-01 10:00              | account:anna  | a1   | allow subscriber | none   |
      | 2024-03-01 10:00              | account:berta | a1   | allow subscriber | none   |
      | 2024-03-01 10:00              | account:clara | a1   | allow metered    | burned |
      | 2024-03-01 10:00              | account:clara | a2   | deny wall        | denied |
      | 2024-03-05T09:59:59.999+01:00 | account:berta | a1   | allow subscriber | none   |
      | 2024-03-05T10:00:00.000+01:00 | account:berta | a1   | allow metered    | burned |
      | 2024-03-08T10:04:59.999+01:00 | account:anna  | a1   | allow subscriber | none   |
      | 2024-03-08T10:05:00.000+01:00 | account:anna  | a1   | allow metered    | burned |
    Given the account "anna" with
      """
      {"entitlements":[{"name":"premium","until":null,"state":"active"}]}
      """
    Then reading comes to
      | at               | reader       | item | verdict          | commit |
      | 2024-03-08 10:06 | account:anna | a2   | allow subscriber | none   |
