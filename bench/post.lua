-- wrk -s post.lua URL -- BODIES [HEADER: VALUE …]: posts the lines of a file in turn, and ends with one
-- line of JSON.

local posts, turn = {}, 0

function init(arguments)
    local headers = {}
    for place = 2, #arguments do
        local name, value = arguments[place]:match("^(.-): (.*)$")
        headers[name] = value
    end
    for body in io.lines(arguments[1]) do
        posts[#posts + 1] = wrk.format("POST", nil, headers, body)
    end
end

function request()
    turn = turn % #posts + 1
    return posts[turn]
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
    io.write(string.format(
        '{"answers": %d, "failed": %d, "seconds": %.6f, "p50_ms": %.6f, "p99_ms": %.6f}\n',
        summary.requests - errors.status, failed, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
    ))
end
