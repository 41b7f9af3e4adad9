-- Reports for the cooperative's meeting, from the logger's table
--   reading (taken_at timestamp, meter text, kwh numeric)
-- where kwh counts upwards for ever and each meter writes once every five minutes.

-- 1. Energy of each day, by meter. max - min misses the last five minutes before midnight;
--    over a month that is less than one kilowatt-hour.
SELECT date(taken_at)      AS day,
       meter,
       max(kwh) - min(kwh) AS energy_kwh
  FROM reading
 GROUP BY date(taken_at), meter
 ORDER BY day, meter;

-- 2. Self-sufficiency: the share of what we used that did not come from the grid.
--    Meters: pv (made), load (used), import (bought), export (sold).
WITH daily AS (
    SELECT date(taken_at) AS day, meter, max(kwh) - min(kwh) AS energy_kwh
      FROM reading
     GROUP BY date(taken_at), meter
)
SELECT used.day,
       round(100 * (1 - bought.energy_kwh / used.energy_kwh), 1) AS self_sufficiency_percent
  FROM daily AS used
  JOIN daily AS bought ON bought.day = used.day AND bought.meter = 'import'
 WHERE used.meter = 'load'
   AND used.energy_kwh > 0
 ORDER BY used.day;

-- 3. Quiet meters: nothing heard for more than an hour, so somebody should walk up the hill.
SELECT meter, max(taken_at) AS last_heard
  FROM reading
 GROUP BY meter
HAVING max(taken_at) < current_timestamp - interval '1 hour';
