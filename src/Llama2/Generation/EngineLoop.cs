namespace Llama2;

/// <summary>The loop of an engine: admits requests in order and runs all live sequences through one forward pass at a time.</summary>
/// <remarks>
/// A step takes a token of every sequence that is generating, with what a constraint has decided in advance or prompt lookup guesses; prompt
/// chunks, oldest first, fill it up to the token budget, or to what does not stall those that are generating (<see cref="PromptBudget"/>). No
/// more sequences run than a step has tokens, so each gets on in every step or waits only for older prompts. The thread starts with the first
/// request, is parked while there is nothing to do, and ends with <see cref="Dispose"/>.
/// </remarks>
internal sealed class EngineLoop : IDisposable
{
    // Rows of a step for sequences that are generating and their guesses: two tiles of the kernels, which cost little more than one row.
    private const int GuessedRows = 1 + PromptLookup.LongGuess;

    // Scoring a text wants the logits of every token; this bounds the buffer for them to 256 MiB.
    public const int DefaultScoredLogits = 1 << 26;

    private readonly LlamaBackend _backend;
    private readonly PrefixCache _pool;
    private readonly bool _shares;
    private readonly int _batchTokens;
    private readonly int _maxRunning;
    private readonly int _maxWaiting;
    private readonly int _maxScoredRows;
    private readonly int _vocabularySize;

    private readonly object _gate = new();
    private readonly LinkedList<EngineRequest> _waiting = [];    // guarded by _gate
    private readonly List<EngineRequest> _running = [];          // changed by the loop's thread under _gate, read by it freely
    private Thread? _thread;                                     // guarded by _gate
    private bool _stopping;                                      // guarded by _gate

    private readonly LlamaBatch _batch = new();
    private readonly List<EngineRequest> _inBatch = [];          // the owners of the batch's pieces
    private float[] _logits = [];                                // [row, vocabulary]
    private readonly PromptBudget _budget;
    private readonly TimeProvider _time;
    private int _scoredRows;                                     // of the batch
    private int _decoding, _promptTokens;                        // of the batch

    public EngineLoop(
        LlamaBackend backend, PrefixCache pool, LlamaModelOptions options, int scoredLogits = DefaultScoredLogits, TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _budget = new(options.BatchTokens);
        _backend = backend;
        _pool = pool;
        _vocabularySize = backend.Config.VocabularySize;
        _shares = options.PrefixCacheBytes != 0;
        _batchTokens = options.BatchTokens;
        _maxRunning = Math.Min(Math.Min(options.MaxConcurrentSequences, _batchTokens), Array.MaxLength / 2 / _vocabularySize);
        _maxWaiting = options.MaxQueuedRequests;
        _maxScoredRows = Math.Clamp(scoredLogits / _vocabularySize, 1, _batchTokens);
    }

    /// <summary>Gets the number of sequences that run now.</summary>
    public int Running
    {
        get
        {
            lock (_gate)
            {
                return _running.Count;
            }
        }
    }

    /// <summary>Gets the loop's thread, or null before the first request.</summary>
    public Thread? Thread
    {
        get
        {
            lock (_gate)
            {
                return _thread;
            }
        }
    }

    /// <summary>Puts a request at the end of the queue.</summary>
    /// <exception cref="InvalidOperationException">The queue is full.</exception>
    /// <exception cref="ObjectDisposedException">The engine is disposed.</exception>
    public void Enqueue(EngineRequest request)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopping, typeof(LlamaEngine));
            if (_running.Count + _waiting.Count - _maxRunning >= _maxWaiting)
            {
                throw new InvalidOperationException(
                    $"The engine is full: {_running.Count} sequences run (at most {_maxRunning}: LlamaModelOptions.MaxConcurrentSequences, BatchTokens) " +
                    $"and {_waiting.Count} requests wait (at most {_maxWaiting} once all places are taken: LlamaModelOptions.MaxQueuedRequests).");
            }

            _waiting.AddLast(request);
            if (_thread is null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = "llama2 engine" };
                _thread.Start();
            }

            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Takes a waiting request out at once, and makes a running one end before its next step.</summary>
    public void Cancel(EngineRequest request)
    {
        request.RequestCancel();
        bool wasWaiting;
        lock (_gate)
        {
            wasWaiting = _waiting.Remove(request);
        }

        if (wasWaiting)
        {
            request.Complete();
        }
    }

    /// <summary>Ends the thread after the forward pass it is in; every caller gets an <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        EngineRequest[] waiting;
        Thread? thread;
        lock (_gate)
        {
            _stopping = true;
            waiting = [.. _waiting];
            _waiting.Clear();
            thread = _thread;
            Monitor.Pulse(_gate);
        }

        foreach (EngineRequest request in waiting)
        {
            request.Fail(new ObjectDisposedException(nameof(LlamaEngine)));
        }

        if (thread is not null && thread != Thread.CurrentThread)
        {
            thread.Join();
        }
    }

    private void Run()
    {
        bool goesOn = true;
        while (goesOn)
        {
            try
            {
                goesOn = Step();
            }
            catch (Exception error)                              // a listener of our telemetry, say; nobody's request may hang for it
            {
                FailAll(error);
            }
        }

        FailAll(new ObjectDisposedException(nameof(LlamaEngine)));
    }

    /// <summary>One forward pass and what belongs to it.</summary>
    /// <returns>False once the engine is disposed.</returns>
    private bool Step()
    {
        if (!Admit())
        {
            return false;
        }

        Prepare();
        BuildBatch();
        if (_inBatch.Count > 0 && Forward())
        {
            Distribute();
        }

        return true;
    }

    /// <summary>Gives free places to the requests that have waited longest; parks while there is nothing to do.</summary>
    private bool Admit()
    {
        lock (_gate)
        {
            while (!_stopping && _waiting.Count + _running.Count == 0)
            {
                Monitor.Wait(_gate);
            }

            while (_waiting.First is { } first && _running.Count < _maxRunning)
            {
                _waiting.RemoveFirst();
                _running.Add(first.Value);
            }

            return !_stopping;
        }
    }

    /// <summary>Ends what was cancelled or is out of time, and gives caches to the new. Oldest first, so that what waits for another stands behind it.</summary>
    private void Prepare()
    {
        for (int i = 0; i < _running.Count;)
        {
            EngineRequest request = _running[i];
            if (request.IsOver)
            {
                End(request);
            }
            else if (request.Cache is not null || TryBegin(request))
            {
                i++;                                             // one without a cache waits for another that reads the same beginning
            }
        }
    }

    /// <summary>Gives a cache to a sequence, unless it is worth waiting for.</summary>
    /// <returns>False if the sequence has failed.</returns>
    private bool TryBegin(EngineRequest request)
    {
        try
        {
            (EngineRequest? source, int shared) = _shares ? SharedPrompts.Find(request, _running, _pool.Match(request.ReusablePrompt, request.Adapter)) : default;
            if (source is null || shared <= source.Cache!.Length)
            {
                request.Begin(_backend, _pool, source, shared);
            }

            return true;
        }
        catch (Exception error)
        {
            Fail(request, error);
            return false;
        }
    }

    /// <summary>Generating sequences first, so that no prompt makes an answer falter; then prompts, oldest first, while there is room.</summary>
    private void BuildBatch()
    {
        _batch.Clear();
        _inBatch.Clear();
        _scoredRows = 0;
        _decoding = CountDecoding();
        int guesses = _decoding == 0 ? 0 : GuessedRows / _decoding - 1, after = _decoding;
        foreach (EngineRequest request in _running)
        {
            if (request.IsDecoding)
            {
                after--;
                AddPiece(request, _batchTokens - after - _batch.Tokens.Length, Math.Max(0, guesses));       // a token for each of those after it
            }
        }

        int generating = _batch.Tokens.Length, most = _budget.Next(_decoding);
        foreach (EngineRequest request in _running)
        {
            int room = Math.Min(_batchTokens - _batch.Tokens.Length, most - (_batch.Tokens.Length - generating));
            if (request.Cache is not null && !request.IsDecoding && room > 0)
            {
                AddPiece(request, room, guesses: 0);
            }
        }

        _promptTokens = _batch.Tokens.Length - generating;
    }

    private int CountDecoding()
    {
        int count = 0;
        foreach (EngineRequest request in _running)
        {
            count += request.IsDecoding ? 1 : 0;
        }

        return count;
    }

    private void AddPiece(EngineRequest request, int most, int guesses)
    {
        int start = request.Cache!.Length;
        (int count, LogitRows rows) = request.NextChunk(start, most, _maxScoredRows - _scoredRows, guesses);
        if (count > 0)
        {
            _batch.Add(request.Cache, request.Chunk(start, count), rows, request.Adapter?.Beside);
            _inBatch.Add(request);
            _scoredRows += rows == LogitRows.All ? count : 0;
        }
    }

    /// <summary>Runs the batch. If the backend fails, so do the sequences in it, and what their caches hold is not trusted.</summary>
    private bool Forward()
    {
        int length = _batch.LogitRowCount * _vocabularySize;
        if (_logits.Length < length)
        {
            _logits = new float[length];
        }

        try
        {
            long begun = _time.GetTimestamp();
            _backend.Forward(_batch, _logits.AsSpan(0, length));
            _budget.Note(_decoding, _promptTokens, _time.GetElapsedTime(begun));
            return true;
        }
        catch (Exception error)
        {
            foreach (EngineRequest request in _inBatch)
            {
                Fail(request, error);
            }

            return false;
        }
    }

    /// <summary>Gives every sequence its rows and ends those that are done.</summary>
    private void Distribute()
    {
        for (int i = 0; i < _inBatch.Count; i++)
        {
            EngineRequest request = _inBatch[i];
            BatchPiece piece = _batch.Pieces[i];
            int rowCount = piece.Logits switch { LogitRows.All => piece.Count, LogitRows.Last => 1, _ => 0 };
            ReadOnlySpan<float> rows = _logits.AsSpan(piece.FirstLogitRow * _vocabularySize, rowCount * _vocabularySize);
            bool ended;
            try
            {
                ended = request.Accept(request.Cache!.Length - piece.Count, piece.Count, rows);
            }
            catch (Exception error)
            {
                Fail(request, error);
                continue;
            }

            if (ended)
            {
                End(request);
            }
        }
    }

    // Cache and place are free before the caller hears of the end, so that its next request finds both.
    private void End(EngineRequest request)
    {
        if (request.DetachCache() is { } cache)
        {
            _pool.Return(cache, request.Tokens[..cache.Length], request.Adapter);
        }

        Leave(request);
        request.Complete();
    }

    private void Fail(EngineRequest request, Exception error)
    {
        request.DetachCache()?.Dispose();
        Leave(request);
        request.Fail(error);
    }

    private void Leave(EngineRequest request)
    {
        lock (_gate)
        {
            _running.Remove(request);
        }
    }

    private void FailAll(Exception error)
    {
        while (_running.Count > 0)
        {
            Fail(_running[^1], error);
        }
    }
}
