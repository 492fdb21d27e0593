using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>The matrix products of a forward pass and the steps that make their inputs, on all threads.</summary>
/// <remarks>Matrices with the same input are one job, and the input is brought into the kernels' order once for all of them. One caller at a time.</remarks>
internal sealed unsafe class CpuProducts : IDisposable
{
    private const int MostMatrices = CpuAdapterProducts.MostMatrices;
    private const int LineInts = 16;                                     // a cache line for each thread's number

    private readonly WorkerGroup _workers;
    private readonly CpuAdapterProducts _adapters;
    private readonly InputTiles _inputs = new();
    private readonly AlignedMemory[] _scratch;                           // per thread: a stripe that is packed, a row that is decoded
    private readonly AlignedMemory[] _sums;                              // per thread
    private readonly int[] _fetched;                                     // per thread: the last job whose inputs it has asked for
    private readonly Action<int, int> _fillBytes, _fillShorts, _fillChunks, _normalize, _swiGlu;
    private readonly Action<int, int, int> _multiply;

    // What the threads work on: set before a job, read by its items.
    private readonly WeightMatrix[] _matrices = new WeightMatrix[MostMatrices];
    private readonly float*[] _outputs = new float*[MostMatrices];
    private float* _input, _normed, _up;
    private AlignedMemory? _norm;
    private float _epsilon;
    private int _width, _job;
    private bool _add;

    public CpuProducts(WorkerGroup workers, long scratchBytes)
    {
        (_workers, _fillBytes, _fillShorts, _fillChunks, _multiply, _normalize, _swiGlu) = (workers, FillBytes, FillShorts, FillChunks, MultiplyStripes, NormalizeRow, SwiGluRow);
        _adapters = new CpuAdapterProducts(workers);
        _scratch = [.. Enumerable.Range(0, workers.Threads).Select(_ => new AlignedMemory(scratchBytes))];
        _sums = [.. Enumerable.Range(0, workers.Threads).Select(_ => new AlignedMemory(0))];
        _fetched = new int[workers.Threads * LineInts];
    }

    /// <summary>Makes room for the tokens of a batch and notes their adapters.</summary>
    public void Prepare(LlamaBatch batch)
    {
        _adapters.Prepare(batch);
        for (int worker = 0; worker < _sums.Length; worker++)
        {
            AlignedMemory.Reserve(ref _sums[worker], WeightMatrix.SumsBytes(batch.Tokens.Length));
        }
    }

    /// <summary>output = RMSNorm(input) · weight, row by row.</summary>
    /// <param name="input">[rows, length of the weight].</param>
    /// <param name="weight">The weight.</param>
    /// <param name="epsilon">Added to the mean of squares.</param>
    /// <param name="output">[rows, length of the weight].</param>
    /// <param name="rows">Rows.</param>
    public void Normalize(float* input, AlignedMemory weight, float epsilon, float* output, int rows)
    {
        (_norm, _epsilon, _width) = (weight, epsilon, (int)(weight.Bytes / sizeof(float)));
        _input = input;
        _normed = output;
        _workers.For(rows, _normalize);
    }

    /// <summary>gate = gate · σ(gate) · up, row by row.</summary>
    /// <param name="gate">[rows, <paramref name="width"/>].</param>
    /// <param name="up">[rows, <paramref name="width"/>].</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="rows">Rows.</param>
    public void SwiGlu(float* gate, float* up, int width, int rows)
    {
        _width = width;
        _input = gate;
        _up = up;
        _workers.For(rows, _swiGlu);
    }

    /// <summary>outputs[i, r] = Σ W[r, c] · inputs[i, c], with what adapters add.</summary>
    /// <param name="input">[count, columns].</param>
    /// <param name="count">Inputs.</param>
    /// <param name="products">One to three matrices with the same number of columns.</param>
    public void Multiply(float* input, int count, params ReadOnlySpan<CpuProduct> products) => Run(input, count, products, add: false);

    /// <summary>output[i, r] += Σ W[r, c] · inputs[i, c], with what adapters add: a half of a block onto the residual stream.</summary>
    /// <param name="input">[count, columns].</param>
    /// <param name="count">Inputs.</param>
    /// <param name="product">The matrix.</param>
    public void MultiplyAdd(float* input, int count, CpuProduct product) => Run(input, count, [product], add: true);

    public void Dispose()
    {
        _adapters.Dispose();
        _inputs.Dispose();
        Array.ForEach(_scratch, memory => memory.Dispose());
        Array.ForEach(_sums, memory => memory.Dispose());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Run(float* input, int count, ReadOnlySpan<CpuProduct> products, bool add)
    {
        _add = add;
        int stripes = 0, most = StripeKernels.MostInputs;
        bool bytes = false, shorts = false, floats = false;
        for (int i = 0; i < products.Length; i++)
        {
            WeightMatrix matrix = products[i].Matrix;
            _matrices[i] = matrix;
            _outputs[i] = products[i].Output;
            stripes += matrix.Stripes;
            most = Math.Min(most, matrix.MostInputs);
            bytes |= matrix.Inputs == InputNumbers.Bytes;
            shorts |= matrix.Inputs == InputNumbers.Shorts;
            floats |= matrix.Inputs == InputNumbers.Floats;
        }

        _inputs.Begin(input, count, _matrices[0].Columns, most);
        if (bytes)
        {
            _inputs.BeginBytes();
            _workers.For(_inputs.Tiling.Tiles, _fillBytes);
        }

        if (shorts)
        {
            _inputs.BeginShorts();
            _workers.For(_inputs.Tiling.Tiles, _fillShorts);
        }

        if (floats && count > most)
        {
            _inputs.BeginChunks();
            _workers.For(count, _fillChunks);
        }

        _adapters.Begin(products, input, count);
        _job++;
        _workers.ForRanges(stripes, _multiply);
    }

    private void FillBytes(int worker, int tile) => _inputs.FillBytes(tile);

    private void FillShorts(int worker, int tile) => _inputs.FillShorts(tile);

    private void FillChunks(int worker, int input) => _inputs.FillChunks(input);

    /// <summary>Stripes from first to end − 1, counted through the matrices of the job.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyStripes(int worker, int first, int end)
    {
        FetchInputs(worker);
        for (int index = 0; first < end; index++)
        {
            WeightMatrix matrix = _matrices[index];
            int last = Math.Min(end, matrix.Stripes);
            if (first < last)
            {
                matrix.Multiply(first, last, _inputs, _outputs[index], _add, _sums[worker].Floats, _scratch[worker].Pointer);
                _adapters.AddStripes(index, matrix, first, last, _outputs[index], _inputs.Count);
            }

            (first, end) = (Math.Max(0, first - matrix.Stripes), end - matrix.Stripes);
        }
    }

    /// <summary>Asks for the inputs, which another thread may have made, before the first stripe of a job. Many are not waited for one line at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FetchInputs(int worker)
    {
        ref int fetched = ref _fetched[worker * LineInts];
        if (fetched != _job && _inputs.Tiling.Tiles == 1)
        {
            fetched = _job;
            _inputs.Fetch(0, _matrices[0].Inputs);
        }
    }

    private void NormalizeRow(int worker, int row)
    {
        nint offset = (nint)row * _width;
        ElementKernels.RmsNorm(_input + offset, _norm!.Floats, _epsilon, _normed + offset, _width);
    }

    private void SwiGluRow(int worker, int row) => ElementKernels.SwiGlu(_input + (nint)row * _width, _up + (nint)row * _width, _width);
}

/// <summary>A matrix and where its product goes: [inputs, rows].</summary>
internal readonly unsafe struct CpuProduct(WeightMatrix matrix, float* output)
{
    public WeightMatrix Matrix => matrix;

    public float* Output => output;
}
