using Llama2.Testing;

namespace Llama2.Tests;

public sealed class PrefixCacheTests : IDisposable
{
    private readonly FakeBackend _backend = new();
    private readonly PrefixCache _pool = new(budget: 1024);      // 128 tokens: 8 blocks

    public void Dispose()
    {
        _pool.Dispose();
        Assert.Equal(0, _backend.LiveCaches);
        _backend.Dispose();
    }

    [Fact]
    public void Take_EmptyPool_GivesNothing() => Assert.Null(_pool.Take([1, 2, 3]));

    [Fact]
    public void Take_WholeMatch_TakesTheCacheOver()
    {
        KeyValueCache cache = Put([1, 2, 3, 4]);
        KeyValueCache? taken = _pool.Take([1, 2, 3, 4, 5, 6]);
        Assert.Same(cache, taken);
        Assert.Equal(4, taken!.Length);
        Assert.Equal((0, 0L, 0), (_pool.Count, _pool.ByteSize, _backend.Forks));
        taken.Dispose();
    }

    [Fact]
    public void Take_ShortRest_RewindsTheCache()
    {
        KeyValueCache cache = Put([1, 2, 3, 4]);
        using KeyValueCache? taken = _pool.Take([1, 2, 9]);
        Assert.Same(cache, taken);
        Assert.Equal(2, cache.Length);
    }

    [Fact]
    public void Take_LongRest_CopiesTheBeginningAndKeepsTheRest()
    {
        KeyValueCache cache = Put([1, 2, .. Enumerable.Range(10, 16)]);
        using KeyValueCache? taken = _pool.Take([1, 2, 3, 4]);
        Assert.NotSame(cache, taken);
        Assert.Equal(2, taken!.Length);
        Assert.Equal((1, 1), (_pool.Count, _backend.Forks));
        Assert.Equal(18, _pool.Match([1, 2, .. Enumerable.Range(10, 30)]));
    }

    [Fact]
    public void Take_SeveralMatch_PrefersTheLongest()
    {
        Put([1, 2, 7]);
        KeyValueCache longest = Put([1, 2, 3, 4, 8]);
        Put([1, 2, 3, 9]);
        using KeyValueCache? taken = _pool.Take([1, 2, 3, 4, 5]);
        Assert.Same(longest, taken);
        Assert.Equal(2, _pool.Count);
    }

    [Fact]
    public void Take_BeginOfTextAlone_IsNoMatch()
    {
        Put([1, 2, 3]);
        Assert.Equal(0, _pool.Match([1, 5, 6]));
        Assert.Null(_pool.Take([1, 5, 6]));
        Assert.Equal(1, _pool.Count);
    }

    [Fact]
    public void Return_LongerText_ReplacesItsBeginnings()
    {
        Put([1, 2, 3]);
        Put([1, 2, 3, 4, 5]);
        Assert.Equal((1, 1), (_pool.Count, _backend.LiveCaches));
        Assert.Equal(5, _pool.Match([1, 2, 3, 4, 5, 6]));
    }

    [Fact]
    public void Return_CoveredText_IsDroppedAndItsCoverCountsAsUsed()
    {
        Put(Text(1, 60));
        Put(Text(2, 60));
        Put(Text(1, 40));
        Assert.Equal((2, 2), (_pool.Count, _backend.LiveCaches));
        Put(Text(3, 60));                                         // drops the least recently used: text 2
        Assert.Equal((60, 0, 60), (_pool.Match(Text(1, 60)), _pool.Match(Text(2, 60)), _pool.Match(Text(3, 60))));
    }

    [Fact]
    public void Return_OverBudget_DropsTheLeastRecentlyUsed()
    {
        Put(Text(1, 48));
        Put(Text(2, 48));
        _pool.Take([.. Text(1, 20), 300])!.Dispose();             // a copy: text 1 counts as used
        Put(Text(3, 48));
        Assert.Equal((48, 0, 48), (_pool.Match(Text(1, 48)), _pool.Match(Text(2, 48)), _pool.Match(Text(3, 48))));
        Assert.Equal((2, 768L, 2), (_pool.Count, _pool.ByteSize, _backend.LiveCaches));
    }

    [Fact]
    public void Return_LargerThanTheBudget_LeavesTheOthers()
    {
        Put(Text(1, 16));
        Put(Text(2, 129));
        Assert.Equal((1, 1), (_pool.Count, _backend.LiveCaches));
    }

    [Fact]
    public void Return_BudgetZero_KeepsNothing()
    {
        using var off = new PrefixCache(budget: 0);
        Put(Text(1, 16), off);
        Assert.Equal((0, 0), (off.Count, _backend.LiveCaches));
    }

    [Fact]
    public void Return_AfterDispose_DisposesTheCache()
    {
        Put([1, 2, 3]);
        _pool.Dispose();
        Put([1, 2, 3]);
        Assert.Equal((0, 0L, 0), (_pool.Count, _pool.ByteSize, _backend.LiveCaches));
    }

    private static int[] Text(int seed, int length) => [.. Enumerable.Range(0, length).Select(i => (seed * 50 + i * 7) % 320)];

    private KeyValueCache Put(int[] tokens, PrefixCache? pool = null)
    {
        KeyValueCache cache = _backend.CreateCache();
        var batch = new LlamaBatch();
        batch.Add(cache, tokens, LogitRows.None);
        _backend.Forward(batch, []);
        (pool ?? _pool).Return(cache, tokens);
        return cache;
    }
}
