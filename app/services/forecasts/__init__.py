"""What groups will measure: their curves as answers, forecasts of runs, and how those fared."""
