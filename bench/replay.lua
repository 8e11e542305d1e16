-- For wrk: sends the requests in the file named by REQUESTS, one after another.
local requests, place = {}, 0

function init()
    local file = assert(io.open(os.getenv("REQUESTS"), "rb"))
    for request in file:read("*a"):gmatch("%Z+") do
        requests[#requests + 1] = request
    end
    file:close()
end

function request()
    place = place % #requests + 1
    return requests[place]
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
    print(string.format("RESULT %d %d %d %d %d %d", summary.requests, summary.duration, failed,
        latency:percentile(50), latency:percentile(99), summary.bytes))
end
