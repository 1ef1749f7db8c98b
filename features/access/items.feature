@replayed
Feature: Items, tiers and clauses

  Background:
    Given a server with a site "news" with clock "event" in "Europe/Berlin"

  Scenario: 5 and 6 An item is its id whatever the address, and all of its pages
    Given the catalogue
      | id | kind    | tier    | url                       | aliases                                                                                |
      | a1 | article | metered | https://news.example/new  | https://news.example/old https://news.example/new/print https://news.example/new/2 https://news.example/new/3 |
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | url                                        | canonical                | verdict       | meter |
      | 2024-03-01 10:00 | d1     | https://news.example/new                   |                          | allow metered | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/new?utm_source=letter |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | http://news.example/new                    |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://www.news.example/new/              |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/new/amp               |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/new/print             |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/old                   |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/new/3                 |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://cache.example/c/s/x                | https://news.example/new | allow again   | 1/1   |
      | 2024-03-01 10:02 | d1     | https://news.example/other                 |                          | deny wall     | 1/1   |
      | 2024-03-01 10:03 | d1     | https://news.example/new/3                 |                          | allow again   | 1/1   |

  Scenario: 5 A read under an address counts for the entry that claims it later
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
      | at               | reader | url                      | verdict       | meter |
      | 2024-03-01 10:00 | d1     | https://news.example/new | allow metered | 1/1   |
    Given the catalogue
      | id | kind    | url                      |
      | a1 | article | https://news.example/new |
    Then reading comes to
      | at               | reader | item | url                      | verdict     | meter |
      | 2024-03-01 10:01 | d1     |      | https://news.example/new | allow again | 1/1   |
      | 2024-03-01 10:02 | d1     | a1   |                          | allow again | 1/1   |
      | 2024-03-01 10:03 | d1     | a2   |                          | deny wall   | 1/1   |

  Scenario: 7 and 8 Tiers, ages, and clauses from the top
    Given the catalogue
      | id  | kind    | tier    | published_at     |
      | f1  | article | free    | 2024-03-01 08:00 |
      | m1  | article | metered | 2024-03-01 08:00 |
      | m2  | article | metered | 2024-03-01 09:45 |
      | p1  | article | premium | 2024-03-01 08:00 |
      | r1  | article | registration | 2024-03-01 08:00 |
      | old | article | metered | 2023-01-01 08:00 |
    And the account "anna" with
      """
      {"entitlements":[{"name":"premium","until":null,"state":"active"}]}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow subscriber if reader.entitled("premium")
        allow open       if item.tier == "free" or item.published_at > now - 30m
        deny  archive    if item.published_at < now - 365d                offers plan_picker
        deny  premium    if item.tier == "premium"                        offers plan_picker
        allow member     if item.tier == "registration" and reader.registered
        deny  register   if item.tier == "registration"                   offers registration_wall
        allow again      if item in monthly
        allow metered    if monthly.left > 0                              burns monthly
        deny  wall                                                        offers plan_picker
      }
      """
    Then reading comes to
      | at                        | reader      | item | verdict          | commit | meter | offer             |
      | 2024-03-01 10:00          | d1          | f1   | allow open       | none   | -     |                   |
      | 2024-03-01 10:00          | d1          | m2   | allow open       | none   | -     |                   |
      | 2024-03-01 10:00          | d1          | m1   | allow metered    | burned | 1/1   |                   |
      | 2024-03-01 10:00          | d1          | p1   | deny premium     | denied | -     | plan_picker       |
      | 2024-03-01 10:00          | d1          | r1   | deny register    | denied | -     | registration_wall |
      | 2024-03-01 10:00          | d2 as berta | r1   | allow member     | none   | -     |                   |
      | 2024-03-01 10:00          | d1          | old  | deny archive     | denied | -     | plan_picker       |
      | 2024-03-01 10:00          | d3 as anna  | p1   | allow subscriber | none   | -     |                   |
      | 2024-03-01 10:00          | d3 as anna  | f1   | allow subscriber | none   | -     |                   |
      | 2024-03-01 10:14:59       | d1          | m2   | allow open       | none   | -     |                   |
      | 2024-03-01 10:15:00       | d1          | m2   | deny wall        | denied | 1/1   | plan_picker       |
    Given the catalogue
      | id | kind    | tier    | published_at     |
      | f1 | article | premium | 2024-03-01 08:00 |
      | p1 | article | free    | 2024-03-01 08:00 |
    Then reading comes to
      | at               | reader | item | verdict      |
      | 2024-03-01 10:16 | d1     | f1   | deny premium |
      | 2024-03-01 10:16 | d1     | p1   | allow open   |
